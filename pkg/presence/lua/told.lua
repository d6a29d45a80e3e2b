-- The user's change of this version is told; a later one is not.
--
-- KEYS untold, state  ARGV user, version
if redis.call('HGET', KEYS[2], 'version') == ARGV[2] then
  return redis.call('ZREM', KEYS[1], ARGV[1])
end
return 0
