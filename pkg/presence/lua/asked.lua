-- KEYS askers of users of a shard  ARGV gateway, ms for which it is told of them
for i = 1, #KEYS do
  redis.call('ZADD', KEYS[i], int(now + tonumber(ARGV[2])), ARGV[1])
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', NOW)
  redis.call('PEXPIRE', KEYS[i], ARGV[2])
end
return 0
