-- KEYS clock  ARGV gap, settle  → {generation, tick}
local generation = guard(KEYS[1], ARGV[1], ARGV[2])
return {generation, tonumber(redis.call('HGET', KEYS[1], 'tick'))}
