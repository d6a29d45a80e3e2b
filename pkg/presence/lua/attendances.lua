-- KEYS clock, then per user: leases, state  ARGV gap, settle
-- → per user 1 (has a device), 0 (has none), -1 (unknown), and when a device last came (0: unknown)
local _, settling = guard(KEYS[1], ARGV[1], ARGV[2])
local reply = {}
for i = 1, (#KEYS - 1) / 2 do
  local there = settling and -1 or 0
  local last = redis.call('ZRANGE', KEYS[2 * i], -1, -1, 'WITHSCORES')
  local ends = tonumber(last[2])
  if ends and ends > now then there = 1 end
  reply[2 * i - 1] = there
  reply[2 * i] = tonumber(redis.call('HGET', KEYS[2 * i + 1], 'came')) or 0
end
return reply
