-- Takes changes that nobody has confirmed to be told, so that one sweeper tells them again.
--
-- KEYS clock, untold, then the users' states  ARGV gap, settle, delay until the next try, then the users
-- → per user claimed: index, online, version, at
local _, settling = guard(KEYS[1], ARGV[1], ARGV[2])
local reply = {}
if settling then return reply end
for i = 1, #KEYS - 2 do
  local user = ARGV[3 + i]
  local when = tonumber(redis.call('ZSCORE', KEYS[2], user))
  if when and when <= now then
    local s = redis.call('HMGET', KEYS[2 + i], 'online', 'version', 'at')
    if s[1] and s[2] and s[3] then
      tell(KEYS[2], user, ARGV[3])
      reply[#reply + 1] = i
      reply[#reply + 1] = tonumber(s[1])
      reply[#reply + 1] = tonumber(s[2])
      reply[#reply + 1] = tonumber(s[3])
    else
      redis.call('ZREM', KEYS[2], user)
    end
  end
end
return reply
