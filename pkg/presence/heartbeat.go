package presence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/redis/go-redis/v9"

	"github.com/dozaar/dozaar/pkg/chat"
)

// Run renews the leases, each every third of the TTL, spread over that time, in batches; asks every
// second whether Redis still knows what it was told; and writes everything again when it does not.
// While Redis is away it keeps trying. It returns nil when ctx has ended, and gives nothing up: see
// Release.
func (l *Leases) Run(ctx context.Context) error {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval = min(200*time.Millisecond, l.table.unit)
	wait.MaxInterval = time.Second
	healthy := true
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.wake:
		case <-timer.C:
		}
		rewritten, err := l.beat(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if rewritten && l.cfg.Forgotten != nil {
			l.cfg.Forgotten(ctx)
		}
		if (err == nil) != healthy {
			if healthy = err == nil; healthy {
				l.log.Info("presence: Redis takes heartbeats again")
			} else {
				l.log.Warn("presence: Redis does not take heartbeats", "error", err)
			}
		}
		pause := time.Duration((0.9 + 0.2*rand.Float64()) * float64(l.table.unit))
		if err != nil {
			pause = wait.NextBackOff()
		} else {
			wait.Reset()
		}
		timer.Reset(pause)
	}
}

// Reassert writes everything that is held again, now. It is for a gateway that has reason to think
// that Redis does not know it any more.
func (l *Leases) Reassert(ctx context.Context) error {
	if err := l.takeBeat(ctx); err != nil {
		return err
	}
	defer func() { <-l.beating }()
	l.table.again(l.cfg.Clock(), nil)
	_, err := l.renew(ctx)
	return err
}

func (l *Leases) takeBeat(ctx context.Context) error {
	select {
	case l.beating <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// beat is one round of Run. It answers whether leases that Redis had lost have all been written again.
func (l *Leases) beat(ctx context.Context) (rewritten bool, err error) {
	if err := l.takeBeat(ctx); err != nil {
		return false, err
	}
	defer func() { <-l.beating }()
	started := time.Now()
	answered, checkErr := l.check(ctx)
	if answered == 0 {
		return false, checkErr
	}
	if lost := l.takeForgotten(); lost != nil {
		n := l.table.again(l.cfg.Clock(), func(k lease) bool { return lost[shardOf(k.id)] })
		l.metrics.forgotten.Inc()
		l.log.Warn("presence: Redis has lost leases, or was out of reach; writing them again", "leases", n)
		l.owed = l.owed || n > 0
	}
	lost, err := l.renew(ctx)
	l.owed = l.owed || lost
	if err := cmp.Or(checkErr, err); err != nil {
		return false, err
	}
	users, rooms := l.table.counts()
	l.metrics.held.WithLabelValues("user").Set(float64(users))
	l.metrics.held.WithLabelValues("room").Set(float64(rooms))
	l.metrics.seconds.Observe(time.Since(started).Seconds())
	rewritten, l.owed = l.owed, false
	return rewritten, nil
}

// check asks every shard for its generation, and keeps it from being doubted: a shard that nobody else
// has ticked since the last look is ticked now. It answers how many shards did: of a cluster a part may be
// away, and the leases in the others are renewed all the same.
func (l *Leases) check(ctx context.Context) (answered int, err error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	pipe := l.cfg.Redis.Pipeline()
	var clocks [shards]*redis.SliceCmd
	for shard := range clocks {
		clocks[shard] = pipe.HMGet(ctx, clockKey(shard), "tick", "generation")
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	var calls []call
	var stale []int
	for shard, clock := range clocks {
		var seen struct {
			Tick       int64 `redis:"tick"`
			Generation int64 `redis:"generation"`
		}
		if scanErr := clock.Scan(&seen); scanErr != nil {
			err = fmt.Errorf("presence: the clock of shard %d: %w: %w", shard, chat.ErrUnavailable, scanErr)
			continue
		}
		answered++
		if seen.Generation != 0 && seen.Tick != l.ticks[shard] {
			l.ticks[shard] = seen.Tick
			l.heard(shard, seen.Generation)
			continue
		}
		stale = append(stale, shard)
		calls = append(calls, call{
			script: checkScript,
			keys:   []string{clockKey(shard)},
			args:   []any{gapFor(l.cfg.TTL).Milliseconds(), l.cfg.Settle.Milliseconds()},
		})
	}
	if len(calls) == 0 {
		return answered, err
	}
	cmds, runErr := runAll(ctx, l.cfg.Redis, calls)
	for i, cmd := range cmds {
		if reply, replyErr := cmd.Int64Slice(); replyErr == nil && len(reply) == 2 {
			l.ticks[stale[i]] = reply[1]
			l.heard(stale[i], reply[0])
		}
	}
	return answered, cmp.Or(err, runErr)
}

// heard notes a shard's generation. Another one than before means that what was written may be lost.
func (l *Leases) heard(shard int, generation int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.generations[shard]
	l.generations[shard] = generation
	if before == 0 || before == generation {
		return
	}
	l.forgotten[shard] = true
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// takeForgotten answers the shards that were lost since it was last asked, nil for none.
func (l *Leases) takeForgotten() *[shards]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	lost := l.forgotten
	if lost == ([shards]bool{}) {
		return nil
	}
	l.forgotten = [shards]bool{}
	return &lost
}

// renew writes what is due, until nothing is. It answers whether Redis had lost any of it.
func (l *Leases) renew(ctx context.Context) (lost bool, err error) {
	for {
		due, more := l.table.takeDue(l.cfg.Clock(), maxPipeline)
		var jobs []job
		var left []lease
		for _, k := range due {
			switch h, ok := l.table.get(k); {
			case !ok:
			case h.wish == leave && h.written:
				left = append(left, k)
			default:
				jobs = append(jobs, job{lease: k, turn: h.turn})
			}
		}
		if err := l.checkLeft(ctx, left); err != nil {
			for _, j := range jobs {
				l.table.retry(j.lease, l.cfg.Clock())
			}
			return lost, err
		}
		if len(jobs) > 0 {
			outcomes, err := l.write(ctx, jobs)
			for _, o := range outcomes {
				lost = lost || o.lost
			}
			if err != nil {
				return lost, err
			}
		}
		if !more {
			return lost, nil
		}
	}
}

// checkLeft drops those who have left once they are offline and that is told, or after a TTL. Until
// then a Redis that forgets is told of them again, so that their going offline is not lost with it.
func (l *Leases) checkLeft(ctx context.Context, left []lease) error {
	if len(left) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	pipe := l.cfg.Redis.Pipeline()
	states, untold := make([]*redis.StringCmd, len(left)), make([]*redis.FloatCmd, len(left))
	for i, k := range left {
		states[i] = pipe.HGet(ctx, stateKey(k.id), "online")
		untold[i] = pipe.ZScore(ctx, untoldKey(shardOf(k.id)), k.id.String())
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	var failed error
	now := l.cfg.Clock()
	for i, k := range left {
		online, err := states[i].Result()
		untoldErr := untold[i].Err()
		if err := cmp.Or(absence(err), absence(untoldErr)); err != nil {
			failed = fmt.Errorf("presence: %w: %w", chat.ErrUnavailable, err)
			l.table.retry(k, now)
			continue
		}
		h, ok := l.table.get(k)
		if !ok || h.wish != leave {
			continue
		}
		told := online == "0" && errors.Is(untoldErr, redis.Nil)
		if told || now.Sub(h.since) > l.cfg.Grace+l.cfg.TTL {
			l.table.drop(k, h.turn)
		} else {
			l.table.later(k, now.Add(l.table.leftFor))
		}
	}
	return failed
}

// absence makes "there is none" no error.
func absence(err error) error {
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}
