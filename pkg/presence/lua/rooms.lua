-- Registers a gateway in rooms of a shard.
--
-- KEYS clock, then the rooms
-- ARGV gap, settle, instance, keep, ms, then per room: wish (hold, extend)
-- → {generation, now, then per room that was not registered: index, 'added', 0}
local generation = guard(KEYS[1], ARGV[1], ARGV[2])
local reply = {generation, now}
local ends = int(now + tonumber(ARGV[5]))
for i = 1, #KEYS - 1 do
  local room = KEYS[1 + i]
  local added = redis.call('ZADD', room, ends, ARGV[3])
  if added == 1 or ARGV[5 + i] == 'extend' then
    redis.call('PEXPIRE', room, ARGV[4])
    redis.call('ZREMRANGEBYSCORE', room, '-inf', NOW)
  end
  if added == 1 then
    reply[#reply + 1] = i
    reply[#reply + 1] = 'added'
    reply[#reply + 1] = 0
  end
end
return reply
