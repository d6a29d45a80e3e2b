-- Writes what one gateway wishes for some users of a shard.
--
-- KEYS clock, due, untold, then per user: leases, state
-- ARGV gap, settle, instance, keep (ms a set of leases lives), delay (ms until a change is told by a
--      sweeper), then per user: id, wish, ms the lease shall last
--      wishes: connect; hide (hold the lease, and be offline to others); vanish (hide, and a
--      state that is lost was that of somebody seen); guess (hide whoever is hidden
--      already, connect everybody else); renew; quiet (renew, but a state that is lost is no news, and the key's own life
--      is left as it is); extend (quiet, and the key's own life); leave (shorten to ms, never lengthen; a lease and a state that are lost are
--      made again, so that going offline is not lost with them); withdraw (leave, but what is not
--      there never was)
-- → {generation, now, then per user of whom there is something to say: index, word, version}
--      words: change (came online), hid (went offline to others), added (the lease was not there), gone (left
--      and is offline already)
local generation, settling = guard(KEYS[1], ARGV[1], ARGV[2])
local due, untold = KEYS[2], KEYS[3]
local instance, keep, delay = ARGV[3], ARGV[4], ARGV[5]
local reply = {generation, now}
local expiries = {}

local function say(i, word, version)
  reply[#reply + 1] = i
  reply[#reply + 1] = word
  reply[#reply + 1] = version
end

local function leave(i, user, leases, state, wish, ms)
  local s = redis.call('HMGET', state, 'online', 'version', 'doubt')
  local before = tonumber(redis.call('ZSCORE', leases, instance))
  if s[1] == '0' and s[3] and wish == 'leave' then -- here they were seen, and they hid where that was not known
    flip(state, s[2], '0')
    tell(untold, user, delay)
  end
  if s[1] == '0' or wish == 'withdraw' and not before then
    redis.call('ZREM', leases, instance)
    return say(i, 'gone', 0)
  end
  local ends = now + ms
  if not before or before > ends then
    redis.call('ZADD', leases, int(ends), instance)
    redis.call('PEXPIRE', leases, keep)
    if not s[1] then
      flip(state, s[2], '1')
      redis.call('HSET', state, 'doubt', '1') -- who knows what others were told
    end
    redis.call('HSET', state, 'seen', NOW)
  end
  local last = redis.call('ZRANGE', leases, -1, -1, 'WITHSCORES')
  expiries[#expiries + 1] = last[2]
  expiries[#expiries + 1] = user
end

-- came notes when a device came to where there was none.
local function came(state)
  redis.call('HSET', state, 'came', NOW)
  redis.call('PEXPIRE', state, KEEP)
end

local function hide(i, user, leases, state, wish, ms)
  local ends = int(now + ms)
  local added = redis.call('ZADD', leases, ends, instance)
  redis.call('PEXPIRE', leases, keep)
  redis.call('ZREMRANGEBYSCORE', leases, '-inf', NOW)
  local s = redis.call('HMGET', state, 'online', 'version', 'doubt')
  local news = s[1] == '1' or wish == 'vanish' and (not s[1] or s[3])
  local version = 0
  if s[1] ~= '0' or news then version = flip(state, s[2], '0') end
  if settling and not s[1] and not news then redis.call('HSET', state, 'doubt', '1') end
  redis.call('HSET', state, 'hidden', '1')
  redis.call('PEXPIRE', state, KEEP)
  if added == 1 then came(state) end
  if news then
    redis.call('HSET', state, 'seen', NOW)
    tell(untold, user, delay)
    say(i, 'hid', version)
  elseif added == 1 then
    say(i, 'added', 0)
  end
  expiries[#expiries + 1] = ends
  expiries[#expiries + 1] = user
end

local function hold(i, user, leases, state, wish, ms)
  local ends = int(now + ms)
  local added = redis.call('ZADD', leases, ends, instance)
  if added == 1 or wish ~= 'quiet' then
    redis.call('PEXPIRE', leases, keep)
    redis.call('ZREMRANGEBYSCORE', leases, '-inf', NOW)
  end
  -- A lease that was there stands for a user who is online: only the sweeper takes the last one away.
  if added == 1 or wish == 'connect' then
    local s = redis.call('HMGET', state, 'online', 'version', 'doubt')
    if added == 1 then came(state) end
    if s[1] ~= '1' or s[3] then
      redis.call('HDEL', state, 'hidden')
      local version = flip(state, s[2], '1')
      if s[1] or wish == 'connect' or wish == 'renew' then
        tell(untold, user, delay)
        say(i, 'change', version)
      else
        say(i, 'added', 0)
      end
    elseif added == 1 then
      say(i, 'added', 0)
    end
  end
  expiries[#expiries + 1] = ends
  expiries[#expiries + 1] = user
end

local count = (#KEYS - 3) / 2
for i = 1, count do
  local user, wish, ms = ARGV[3 + 3 * i], ARGV[4 + 3 * i], tonumber(ARGV[5 + 3 * i])
  local leases, state = KEYS[2 + 2 * i], KEYS[3 + 2 * i]
  if wish == 'guess' then
    wish = redis.call('HGET', state, 'hidden') and 'hide' or 'connect'
  end
  if wish == 'leave' or wish == 'withdraw' then
    leave(i, user, leases, state, wish, ms)
  elseif wish == 'hide' or wish == 'vanish' then
    hide(i, user, leases, state, wish, ms)
  else
    hold(i, user, leases, state, wish, ms)
  end
end
if #expiries > 0 then
  redis.call('ZADD', due, unpack(expiries))
  redis.call('PEXPIRE', due, KEEP)
end
return reply
