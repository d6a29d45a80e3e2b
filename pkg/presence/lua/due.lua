-- What a sweeper should look at. Nothing while the shard is settling.
--
-- KEYS clock, due, untold  ARGV gap, settle, limit  → {users whose leases may be over, users untold}
local _, settling = guard(KEYS[1], ARGV[1], ARGV[2])
if settling then return {{}, {}} end
return {
  redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', NOW, 'LIMIT', 0, ARGV[3]),
  redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', NOW, 'LIMIT', 0, ARGV[3]),
}
