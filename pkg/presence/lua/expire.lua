-- Drops the leases of users that are over. Whoever has none left and is online goes offline; only one
-- sweeper is told of it. Nothing happens while the shard is settling.
--
-- KEYS clock, due, untold, then per user: leases, state
-- ARGV gap, settle, ttl, delay, then the users
-- → {now, then per user who went offline: index, version}
local _, settling = guard(KEYS[1], ARGV[1], ARGV[2])
local reply = {now}
if settling then return reply end
for i = 1, (#KEYS - 3) / 2 do
  local user, leases, state = ARGV[4 + i], KEYS[2 + 2 * i], KEYS[3 + 2 * i]
  local last = redis.call('ZRANGE', leases, -1, -1, 'WITHSCORES')
  local ends = tonumber(last[2])
  redis.call('ZREMRANGEBYSCORE', leases, '-inf', NOW)
  if ends and ends > now then
    redis.call('ZADD', KEYS[2], last[2], user)
  else
    redis.call('ZREM', KEYS[2], user)
    local s = redis.call('HMGET', state, 'online', 'version', 'seen')
    if s[1] ~= '0' then
      local seen = math.max(tonumber(s[3]) or 0, (ends or 0) - tonumber(ARGV[3]))
      local version = flip(state, s[2], '0')
      redis.call('HSET', state, 'seen', int(seen))
      tell(KEYS[3], user, ARGV[4])
      reply[#reply + 1] = i
      reply[#reply + 1] = version
    end
  end
end
return reply
