-- Stands before every script. Each script touches the keys of one shard only, and knows one time:
-- Redis's own, in ms.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)

local function int(n) return string.format('%d', n) end
local NOW = int(now)
local KEEP = '2592000000' -- 30 days: how long what outlives a lease is kept

-- server names the process that runs this; empty where it may not be asked.
local function server()
  local info = redis.pcall('INFO', 'server')
  return type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
end

-- guard notices that the shard was lost, came back older than it was, or was out of everybody's reach
-- for a while: nobody has ticked it for longer than gap, or another server has it now, which may lack
-- what the last one had confirmed. Then a new generation starts: its leases prove nothing about who is
-- not there until it has settled, and whoever holds a lease writes it anew. A failover takes longer
-- than a tick lasts, so the first script on the new server sees it.
-- Answers the generation, and whether it is still settling.
local function guard(clock, gap, settle)
  local c = redis.call('HMGET', clock, 'tick', 'generation', 'settled', 'server')
  local tick, generation, settled = tonumber(c[1]), tonumber(c[2]), tonumber(c[3])
  if not tick or math.abs(now - tick) >= math.min(500, tonumber(gap)) then
    local here = server()
    if not tick or math.abs(now - tick) > tonumber(gap) or c[4] and c[4] ~= here then
      generation = math.max(now, (generation or 0) + 1)
      settled = now + tonumber(settle)
      redis.call('HSET', clock, 'generation', int(generation), 'settled', int(settled))
    end
    redis.call('HSET', clock, 'tick', NOW, 'server', here)
    redis.call('PEXPIRE', clock, KEEP)
  end
  return generation, now < settled
end

-- flip changes a user's state. Versions follow the clock, so that one that starts over after a loss
-- is still newer than all before.
local function flip(state, version, online)
  version = math.max((tonumber(version) or 0) + 1, now)
  redis.call('HSET', state, 'online', online, 'version', int(version), 'at', NOW)
  redis.call('HDEL', state, 'doubt')
  redis.call('PEXPIRE', state, KEEP)
  return version
end

-- tell asks the sweepers to announce the user's state after a delay, unless somebody says before
-- that it is told.
local function tell(untold, user, delay)
  redis.call('ZADD', untold, int(now + tonumber(delay)), user)
  redis.call('PEXPIRE', untold, KEEP)
end
