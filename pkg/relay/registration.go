package relay

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// openStream keeps the gateway's stream: makes it with one entry if it is not there, refreshes its
// life, and cuts off what the reader has read. It answers whether the stream was made, and the newest
// entry. What is older than the reader's cursor is cut off only while the newest entry is not: after
// a failover to a server whose clock is behind, new entries are older than the cursor.
//
//	KEYS stream  ARGV ttl ms, cursor
var openStream = redis.NewScript(`
local made = 0
if redis.call('EXISTS', KEYS[1]) == 0 then
  made = 1
  redis.call('XADD', KEYS[1], '*', 'h', '1')
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local id = newest[1] and newest[1][1] or ''
if id ~= '' and made == 0 and ARGV[2] ~= '0-0' then
  if tonumber(string.match(id, '^%d+')) >= tonumber(string.match(ARGV[2], '^%d+')) then
    redis.call('XTRIM', KEYS[1], 'MINID', '~', ARGV[2])
  end
end
return {made, id}
`)

// register renews a gateway in the set of live ones, by Redis's clock, and removes those that have
// been dead for a minute. It answers whether the gateway was live until now.
//
//	KEYS gateways  ARGV instance, alive ms
var register = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local before = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]))
redis.call('ZADD', KEYS[1], string.format('%d', now + ARGV[2]), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%d', now - 60000))
redis.call('PEXPIRE', KEYS[1], 3600000)
if before and before > now then return 1 end
return 0
`)

// registerFirst tries until the gateway is registered; false: ctx ended first.
func (r *Receiver) registerFirst(ctx context.Context) bool {
	wait := newBackOff()
	for ctx.Err() == nil {
		_, err := r.registerOnce(ctx)
		if err == nil {
			return true
		}
		r.log.Warn("relay: cannot register with Redis", "error", err)
		sleep(ctx, wait.NextBackOff())
	}
	return false
}

// keepRegistered renews the registration every second. It runs beside the reading, so that a handler
// that is slow does not make the gateway look dead.
func (r *Receiver) keepRegistered(ctx context.Context) error {
	tick := time.NewTicker(r.cfg.Register)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		lost, err := r.registerOnce(ctx)
		if err != nil {
			if ctx.Err() == nil {
				r.log.Warn("relay: cannot register with Redis", "error", err)
			}
			continue
		}
		if lost != "" {
			r.log.Warn("relay: Redis had forgotten this gateway", "what", lost)
			r.ask(lost, lost == ReasonVanished)
		}
	}
}

// registerOnce renews the stream, then the registration. It says what of it Redis had lost.
func (r *Receiver) registerOnce(ctx context.Context) (lost string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	r.mu.Lock()
	cursor := r.cursor
	r.mu.Unlock()

	opened, err := openStream.Run(ctx, r.cfg.Redis, []string{r.stream}, r.cfg.StreamTTL.Milliseconds(), cursor).Slice()
	if err != nil {
		return "", err
	}
	made, newest := opened[0].(int64) == 1, opened[1].(string)
	live, err := register.Run(ctx, r.cfg.Redis, []string{gatewaysKey}, r.cfg.Instance, r.cfg.Alive.Milliseconds()).Int64()
	if err != nil {
		return "", err
	}
	switch {
	case made, before(newest, cursor):
		return ReasonVanished, nil
	case live == 0:
		return ReasonForgotten, nil
	}
	return "", nil
}

// before compares two entry ids, "ms-seq".
func before(a, b string) bool {
	am, as := splitID(a)
	bm, bs := splitID(b)
	return am < bm || am == bm && as < bs
}

func splitID(id string) (ms, seq uint64) {
	m, s, _ := strings.Cut(id, "-")
	ms, _ = strconv.ParseUint(m, 10, 64)
	seq, _ = strconv.ParseUint(s, 10, 64)
	return ms, seq
}

// deregister takes the gateway and its stream out of Redis; both end by themselves if that fails.
func (r *Receiver) deregister(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	pipe := r.cfg.Redis.Pipeline()
	pipe.ZRem(ctx, gatewaysKey, r.cfg.Instance)
	pipe.Del(ctx, r.stream)
	if _, err := pipe.Exec(ctx); err != nil {
		r.log.Info("relay: could not deregister", "error", err)
	}
}
