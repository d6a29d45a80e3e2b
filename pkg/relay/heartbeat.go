package relay

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// forgetGateway is how long a count is kept for a gateway that is neither live nor sent anything.
const forgetGateway = time.Minute

// liveGateways answers the gateways whose registration has not run out, by Redis's clock.
var liveGateways = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
return redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%d', now), '+inf')
`)

// Run tells every live gateway the sender's count once a second, until ctx ends; then it says
// goodbye, so that nobody takes its silence for a loss. While Redis is away it keeps trying.
func (s *Sender) Run(ctx context.Context) error {
	if s.cfg.Ephemeral {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(s.cfg.Heartbeat)
	defer tick.Stop()
	healthy := true
	for {
		select {
		case <-ctx.Done():
			s.goodbye(context.WithoutCancel(ctx))
			return nil
		case <-tick.C:
		}
		err := s.beat(ctx)
		if ctx.Err() == nil && (err == nil) != healthy {
			if healthy = err == nil; healthy {
				s.log.Info("relay: Redis takes heartbeats again")
			} else {
				s.log.Warn("relay: Redis does not take heartbeats", "error", err)
			}
		}
	}
}

// beat sends one heartbeat to every live gateway. Where it cannot be read who lives, to those that are known: in a
// cluster the list may be away while most streams are there, and silence would have every gateway resync.
func (s *Sender) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	gateways, away := s.live(ctx)
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if away != nil {
		gateways = slices.Collect(maps.Keys(s.counts))
	}
	pipe := s.cfg.Redis.Pipeline()
	for _, gateway := range gateways {
		pipe.XAdd(ctx, s.entry(gateway, nil))
	}
	for gateway, c := range s.counts {
		if time.Since(c.used) > forgetGateway {
			delete(s.counts, gateway)
		}
	}
	return cmp.Or(answered(pipe.Exec(ctx)), away)
}

// live answers the gateways that live; there must be time left for the heartbeats if nobody answers.
func (s *Sender) live(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout/3)
	defer cancel()
	return NewRoster(s.cfg.Redis).Gateways(ctx)
}

// Roster is who may be sent to.
type Roster struct{ redis redis.UniversalClient }

// NewRoster returns that of a Redis.
func NewRoster(client redis.UniversalClient) *Roster { return &Roster{client} }

// Gateways answers the gateways that have registered lately. One that died is among them for ten seconds.
func (r *Roster) Gateways(ctx context.Context) ([]string, error) {
	return liveGateways.Run(ctx, r.redis, []string{gatewaysKey}).StringSlice()
}

// goodbye tells the gateways the last count, and that no more will come.
func (s *Sender) goodbye(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	pipe := s.cfg.Redis.Pipeline()
	for gateway := range s.counts {
		args := s.entry(gateway, nil)
		args.Values = append(args.Values.([]string), fieldGoodbye, "1")
		pipe.XAdd(ctx, args)
	}
	clear(s.counts) // what is sent from here on is counted anew
	if err := answered(pipe.Exec(ctx)); err != nil {
		s.log.Info("relay: could not say goodbye", "error", err)
	}
}

// answered is the first error of a pipeline that is not "the stream is not there".
func answered(cmds []redis.Cmder, err error) error {
	if err == nil || len(cmds) == 0 {
		return err
	}
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
	}
	return nil
}
