package presence

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/dozaar/dozaar/pkg/chat"
)

const (
	tellAfter = 3 * time.Second  // a change that nobody confirmed is announced by a sweeper
	tellAgain = 10 * time.Second // and again
	sweepSize = 100              // users of one shard at a time
)

// SweeperConfig makes a Sweeper. Redis is required; TTL and Settle are as in LeasesConfig.
type SweeperConfig struct {
	Redis    redis.UniversalClient
	TTL      time.Duration
	Settle   time.Duration
	Interval time.Duration // between two rounds; default 1 s

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Sweeper finds the users whose last lease is over, takes them offline, and has it announced; and it
// has announced again what nobody confirmed to be told. Any number may run.
type Sweeper struct {
	cfg      SweeperConfig
	announce func(context.Context, chat.PresenceChange) error
	log      *slog.Logger
	metrics  sweeperMetrics
}

// NewSweeper returns a sweeper. announce is called for each change, one at a time; it may block for as
// long as ctx lives, and the sweeper goes no faster. Whoever has told the change confirms it
// (Directory.Told): what is not confirmed comes again, so an error loses nothing.
func NewSweeper(cfg SweeperConfig, announce func(context.Context, chat.PresenceChange) error) *Sweeper {
	cfg.TTL = cmp.Or(cfg.TTL, DefaultTTL)
	cfg.Settle = cmp.Or(cfg.Settle, DefaultSettle)
	cfg.Interval = cmp.Or(cfg.Interval, time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Sweeper{cfg: cfg, announce: announce, log: cfg.Logger, metrics: newSweeperMetrics(cfg.Registerer)}
}

// Run sweeps every second until ctx ends, then returns nil. While Redis is away it keeps trying.
func (s *Sweeper) Run(ctx context.Context) error {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval = 200 * time.Millisecond
	wait.MaxInterval = 2 * time.Second
	healthy := true
	for {
		began := time.Now()
		err := s.sweep(ctx)
		s.metrics.seconds.Observe(time.Since(began).Seconds())
		if ctx.Err() != nil {
			return nil
		}
		if (err == nil) != healthy {
			if healthy = err == nil; healthy {
				s.log.Info("presence: sweeping again")
			} else {
				s.log.Warn("presence: cannot sweep", "error", err)
			}
		}
		// Sweepers that started together drift apart.
		pause := time.Duration((0.75 + 0.5*rand.Float64()) * float64(s.cfg.Interval))
		if err != nil {
			pause = wait.NextBackOff()
		} else {
			wait.Reset()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// sweep looks at all shards until nothing is due in any. Of a cluster a part may be away; the others are
// swept all the same.
func (s *Sweeper) sweep(ctx context.Context) error {
	todo := rand.Perm(shards) // two sweepers seldom meet
	var away error
	for len(todo) > 0 {
		found, err := s.due(ctx, todo)
		away = cmp.Or(away, err)
		var more []int
		for _, f := range found {
			if err := s.expire(ctx, f.shard, f.over); err != nil {
				return err
			}
			if err := s.retell(ctx, f.shard, f.untold); err != nil {
				return err
			}
			if len(f.over) == sweepSize || len(f.untold) == sweepSize {
				more = append(more, f.shard)
			}
		}
		todo = more
	}
	return cmp.Or(ctx.Err(), away)
}

// found is what is due in a shard.
type found struct {
	shard  int
	over   []string // users whose leases may be over
	untold []string // users whose last change nobody confirmed
}

// due answers what the shards that can be reached have; the error is of the others.
func (s *Sweeper) due(ctx context.Context, todo []int) ([]found, error) {
	calls := make([]call, len(todo))
	for i, shard := range todo {
		calls[i] = call{
			script: dueScript,
			keys:   []string{clockKey(shard), dueKey(shard), untoldKey(shard)},
			args:   []any{s.gap(), s.settle(), sweepSize},
		}
	}
	cmds, away := s.run(ctx, calls)
	var all []found
	for i, cmd := range cmds {
		reply, err := cmd.Slice()
		if err != nil || len(reply) != 2 {
			continue
		}
		f := found{todo[i], stringsOf(reply[0]), stringsOf(reply[1])}
		if len(f.over)+len(f.untold) > 0 {
			all = append(all, f)
		}
	}
	return all, away
}

// expire takes those offline who have no live lease left, and announces them.
func (s *Sweeper) expire(ctx context.Context, shard int, users []string) error {
	if len(users) == 0 {
		return nil
	}
	c := call{
		script: expireScript,
		keys:   []string{clockKey(shard), dueKey(shard), untoldKey(shard)},
		args:   []any{s.gap(), s.settle(), s.cfg.TTL.Milliseconds(), tellAfter.Milliseconds()},
	}
	for _, u := range users {
		id, _ := chat.ParseID(u)
		c.keys = append(c.keys, leasesKey(id), stateKey(id))
		c.args = append(c.args, u)
	}
	cmds, err := s.run(ctx, []call{c})
	if err != nil {
		return err
	}
	reply, err := cmds[0].Int64Slice()
	if err != nil {
		return err
	}
	for r := 1; r+1 < len(reply); r += 2 {
		id, _ := chat.ParseID(users[reply[r]-1])
		s.metrics.offline.Inc()
		s.tell(ctx, chat.PresenceChange{UserID: id, Version: reply[r+1], At: time.UnixMilli(reply[0]).UTC()})
	}
	return nil
}

// retell announces the latest change of users of whom nobody has confirmed that it was told.
func (s *Sweeper) retell(ctx context.Context, shard int, users []string) error {
	if len(users) == 0 {
		return nil
	}
	c := call{
		script: claimScript,
		keys:   []string{clockKey(shard), untoldKey(shard)},
		args:   []any{s.gap(), s.settle(), tellAgain.Milliseconds()},
	}
	for _, u := range users {
		id, _ := chat.ParseID(u)
		c.keys = append(c.keys, stateKey(id))
		c.args = append(c.args, u)
	}
	cmds, err := s.run(ctx, []call{c})
	if err != nil {
		return err
	}
	reply, err := cmds[0].Int64Slice()
	if err != nil {
		return err
	}
	for r := 0; r+3 < len(reply); r += 4 {
		id, _ := chat.ParseID(users[reply[r]-1])
		s.metrics.retold.Inc()
		s.tell(ctx, chat.PresenceChange{
			UserID: id, Online: reply[r+1] == 1, Version: reply[r+2], At: time.UnixMilli(reply[r+3]).UTC(),
		})
	}
	return nil
}

func (s *Sweeper) tell(ctx context.Context, change chat.PresenceChange) {
	if err := s.announce(ctx, change); err != nil && ctx.Err() == nil {
		s.log.Warn("presence: a change could not be announced; it will be tried again", "error", err)
	}
}

func (s *Sweeper) run(ctx context.Context, calls []call) ([]*redis.Cmd, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	return runAll(ctx, s.cfg.Redis, calls)
}

func (s *Sweeper) gap() int64    { return gapFor(s.cfg.TTL).Milliseconds() }
func (s *Sweeper) settle() int64 { return s.cfg.Settle.Milliseconds() }
