-- Has announced what a gateway was not told of users: envelopes to it were lost, or Redis lost the users, and with them
-- that they had been online.
--
-- KEYS clock, due, untold, then per user: leases, state
-- ARGV gap, settle, then per user: id, online (0 or 1) and version as the gateway was told last
-- → indexes of users of whom nothing can be said yet
local _, settling = guard(KEYS[1], ARGV[1], ARGV[2])
local reply = {}
for i = 1, (#KEYS - 3) / 2 do
  local user, told, version = ARGV[3 * i], ARGV[3 * i + 1], tonumber(ARGV[3 * i + 2])
  local leases, state = KEYS[2 + 2 * i], KEYS[3 + 2 * i]
  local s = redis.call('HMGET', state, 'online', 'version', 'hidden')
  local last = redis.call('ZRANGE', leases, -1, -1, 'WITHSCORES')
  local online = not s[3] and last[2] and tonumber(last[2]) > now and '1' or '0'
  if online ~= told then
    if settling then
      reply[#reply + 1] = i
    elseif online == '0' and s[1] == '1' then
      redis.call('ZADD', KEYS[2], NOW, user) -- a sweeper takes them offline
    else
      local known = tonumber(s[2]) or 0
      if s[1] ~= online or known <= version then flip(state, math.max(known, version), online) end
      tell(KEYS[3], user, 0)
    end
  end
end
return reply
