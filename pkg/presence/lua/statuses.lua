-- KEYS clock, then per user: leases, state  ARGV gap, settle, ttl
-- → per user 1 (online), 0 (offline), -1 (unknown), and when they were last seen (0: unknown). Whoever is
--   hidden is as if without a lease.
local _, settling = guard(KEYS[1], ARGV[1], ARGV[2])
local reply = {}
for i = 1, (#KEYS - 1) / 2 do
  local online, seen = -1, 0
  local last = redis.call('ZRANGE', KEYS[2 * i], -1, -1, 'WITHSCORES')
  local s = redis.call('HMGET', KEYS[2 * i + 1], 'seen', 'hidden')
  local ends = not s[2] and tonumber(last[2])
  if ends and ends > now then
    online = 1
  else
    seen = tonumber(s[1]) or 0
    if ends then seen = math.max(seen, ends - tonumber(ARGV[3])) end
    if not settling then online = 0 end
  end
  reply[2 * i - 1] = online
  reply[2 * i] = seen
end
return reply
