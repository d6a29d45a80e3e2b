-- Hides a user, whatever leases they have: those of a gateway that died hide nobody by themselves.
--
-- KEYS clock, untold, state  ARGV gap, settle, delay, user
local _, settling = guard(KEYS[1], ARGV[1], ARGV[2])
local s = redis.call('HMGET', KEYS[3], 'online', 'version')
if s[1] ~= '0' then flip(KEYS[3], s[2], '0') end
redis.call('HSET', KEYS[3], 'hidden', '1')
redis.call('PEXPIRE', KEYS[3], KEEP)
-- Where Redis has just lost everything, nobody knows what others were told: they are told again.
if s[1] == '1' or settling and not s[1] then
  redis.call('HSET', KEYS[3], 'seen', NOW)
  tell(KEYS[2], ARGV[4], ARGV[3])
end
return 0
