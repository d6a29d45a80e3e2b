package presence

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/pkg/chat"
)

// LeasesConfig makes Leases. Redis and Instance are required.
type LeasesConfig struct {
	Redis    redis.UniversalClient
	Instance string // this gateway's name and boot; never used by two processes

	TTL    time.Duration // how long a lease lasts; renewed every third of it; DefaultTTL
	Grace  time.Duration // how long a user who left counts as online; DefaultGrace
	Settle time.Duration // how long absence proves nothing after Redis lost its data; DefaultSettle

	// Forgotten is called after leases that Redis had lost were written again: what was addressed to
	// this gateway's rooms meanwhile went nowhere, so their heads must be read again. It runs on Run's
	// goroutine, which renews nothing meanwhile. Optional.
	Forgotten func(ctx context.Context)

	Clock      func() time.Time // when to renew; leases themselves go by Redis's clock; time.Now
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Leases is one gateway's share of the routing table: which users have a device here, and which
// conversations have a socket here. It remembers what it holds, so that a Redis that was away or has
// forgotten is told again. Its methods may be called at the same time.
type Leases struct {
	cfg     LeasesConfig
	log     *slog.Logger
	metrics leasesMetrics
	table   *table

	beating chan struct{} // held by whoever renews in bulk
	owed    bool          // guarded by beating; Forgotten is to be called
	ticks   [shards]int64 // guarded by beating; of each shard's clock, as last seen
	wake    chan struct{} // makes Run look at once

	mu          sync.Mutex
	generations [shards]int64 // guarded by mu; of each shard, as last heard; 0: not yet
	forgotten   [shards]bool  // guarded by mu; a new generation was heard, and not yet answered
}

// NewLeases returns a gateway's leases; Run keeps them alive.
func NewLeases(cfg LeasesConfig) *Leases {
	cfg.TTL = cmp.Or(cfg.TTL, DefaultTTL)
	cfg.Grace = cmp.Or(cfg.Grace, DefaultGrace)
	cfg.Settle = cmp.Or(cfg.Settle, DefaultSettle)
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	interval := cfg.TTL / 3
	return &Leases{
		cfg:     cfg,
		log:     cfg.Logger.With("instance", cfg.Instance),
		metrics: newLeasesMetrics(cfg.Registerer),
		table:   newTable(interval, min(time.Second, interval/8), cfg.Clock()),
		beating: make(chan struct{}, 1),
		wake:    make(chan struct{}, 1),
	}
}

// Connect says that users have a device here, each with the first one, and again when their visibility has
// changed. The changes are of those who just came online, or just hid, and are to be announced and confirmed
// (Directory.Told); a sweeper announces what nobody confirms. With an error (chat.ErrUnavailable) the users
// are remembered all the same, and written when Redis is back.
func (l *Leases) Connect(ctx context.Context, arrivals ...chat.Arrival) (changes []chat.PresenceChange, err error) {
	now := l.cfg.Clock()
	jobs := make([]job, len(arrivals))
	for i, a := range arrivals {
		key := lease{id: a.UserID}
		jobs[i] = job{lease: key, turn: l.table.set(key, wishOf(a.Visibility), now), first: true}
	}
	for part := range slices.Chunk(jobs, maxPipeline) {
		outcomes, writeErr := l.write(ctx, part)
		err = cmp.Or(err, writeErr)
		for _, o := range outcomes {
			if o.change != nil {
				changes = append(changes, *o.change)
			}
		}
	}
	return changes, err
}

// Disconnect says that users' last devices here are gone: their leases then last for the grace only.
// With an error the goodbyes are remembered, and written when Redis is back.
func (l *Leases) Disconnect(ctx context.Context, users ...chat.ID) (err error) {
	now := l.cfg.Clock()
	var jobs []job
	for _, user := range users {
		key := lease{id: user}
		if _, ok := l.table.get(key); ok {
			jobs = append(jobs, job{lease: key, turn: l.table.set(key, leave, now)})
		}
	}
	for part := range slices.Chunk(jobs, maxPipeline) {
		_, writeErr := l.write(ctx, part)
		err = cmp.Or(err, writeErr)
	}
	return err
}

// OpenRoom says that a conversation has a socket here. When it returns nil, whoever looks up the
// owners finds this gateway: read the head only then. With an error nothing is held that was not
// before.
func (l *Leases) OpenRoom(ctx context.Context, conv chat.ID) error {
	key := lease{room: true, id: conv}
	turn, fresh, err := l.table.open(ctx, key, l.cfg.Clock())
	if err != nil {
		return err
	}
	if _, err := l.write(ctx, []job{{lease: key, turn: turn}}); err != nil {
		if fresh {
			l.table.drop(key, turn)
		}
		return err
	}
	return nil
}

// CloseRoom says that a conversation's last socket here is gone. With an error the room ends with its
// lease.
func (l *Leases) CloseRoom(ctx context.Context, conv chat.ID) error {
	l.table.forget(lease{room: true, id: conv})
	return l.takeOut(ctx, []lease{{room: true, id: conv}})
}

// takeOut removes rooms from Redis that nobody here wishes any more. While it is under way nobody
// opens them: the removal must not land after the next registration.
func (l *Leases) takeOut(ctx context.Context, rooms []lease) error {
	rooms, done := l.table.close(rooms)
	defer done()
	if len(rooms) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	pipe := l.cfg.Redis.Pipeline()
	for _, r := range rooms {
		pipe.ZRem(ctx, roomKey(r.id), l.cfg.Instance)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("presence: close rooms: %w: %w", chat.ErrUnavailable, err)
	}
	return nil
}

// releaseTime bounds Release: a Redis that is away shall not hold up a gateway that stops.
const releaseTime = 5 * time.Second

// Release gives up everything that is still held, for a gateway that stops: users get the grace,
// rooms end at once. To be called when its sockets are closed and Run has ended. It tries all of it, the shards
// beside each other, for five seconds at most; with an error (chat.ErrUnavailable) the rest ends with its leases.
func (l *Leases) Release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, releaseTime)
	defer cancel()
	users, rooms := l.table.all()
	now := l.cfg.Clock()
	var leaving [shards][]job
	for _, u := range users {
		shard := shardOf(u.id)
		leaving[shard] = append(leaving[shard], job{lease: u, turn: l.table.set(u, leave, now)})
	}
	var closing [shards][]lease
	for _, r := range rooms {
		l.table.forget(r)
		closing[shardOf(r.id)] = append(closing[shardOf(r.id)], r)
	}
	var tasks errgroup.Group
	for shard := range shards {
		tasks.Go(func() (first error) {
			for part := range slices.Chunk(leaving[shard], maxPipeline) {
				_, err := l.write(ctx, part)
				first = cmp.Or(first, err)
			}
			for part := range slices.Chunk(closing[shard], maxPipeline) {
				first = cmp.Or(first, l.takeOut(ctx, part))
			}
			return first
		})
	}
	return tasks.Wait()
}
