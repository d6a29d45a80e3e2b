package presence

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/redis/redistest"
)

// crowd is a gateway, a sweeper and a directory that run by themselves with the product's own TTL, and users who
// stay connected. Leases are renewed once in a hundred seconds: what a failover loses is not found by chance.
type crowd struct {
	*world

	a         *Leases
	stop      func()
	forgotten chan struct{}

	mu    sync.Mutex // guards users and convs
	users []chat.ID
	convs []chat.ID
}

func newCrowd(t *testing.T, s redistest.Set) *crowd {
	t.Helper()
	client := s.Client()
	c := &crowd{
		world:     &world{t: t, client: client, ttl: DefaultTTL, now: time.Now, move: time.Sleep},
		forgotten: make(chan struct{}, 64),
	}
	c.sweeper = NewSweeper(SweeperConfig{Redis: client, Settle: crowdSettle}, func(ctx context.Context, change chat.PresenceChange) error {
		c.world.mu.Lock()
		defer c.world.mu.Unlock()
		c.told = append(c.told, change)
		return c.directory().Told(ctx, change)
	})
	c.a = NewLeases(LeasesConfig{
		Redis: client, Instance: "a", Settle: crowdSettle, Grace: time.Second,
		Forgotten: func(context.Context) { c.forgotten <- struct{}{} },
	})
	// A new Redis settles; not for so long as one that has failed over.
	_, err := NewLeases(LeasesConfig{Redis: client, Instance: "first", Settle: time.Millisecond}).beat(t.Context())
	c.must(err)
	ctx, cancel := context.WithCancel(t.Context())
	var g errgroup.Group
	g.Go(func() error { return c.a.Run(ctx) })
	g.Go(func() error { return c.sweeper.Run(ctx) })
	g.Go(func() error { c.watch(ctx); return nil })
	c.stop = sync.OnceFunc(func() { cancel(); c.must(g.Wait()) })
	t.Cleanup(c.stop)
	return c
}

// crowdSettle is long enough for leases to be written again on a busy machine.
const crowdSettle = 5 * time.Second

func (c *crowd) directory() *Directory {
	return NewDirectory(DirectoryConfig{Redis: c.client, Settle: crowdSettle})
}

// join connects n users and opens n rooms.
func (c *crowd) join(n int) {
	c.t.Helper()
	for range n {
		user, conv := chat.NewID(), chat.NewID()
		change, err := arrive(c.t.Context(), c.a, user)
		c.must(err)
		if change == nil {
			c.t.Fatal("who connects for the first time comes online")
		}
		_ = c.directory().Told(c.t.Context(), *change) // or a sweeper tells it
		c.must(c.a.OpenRoom(c.t.Context(), conv))
		c.mu.Lock()
		c.users, c.convs = append(c.users, user), append(c.convs, conv)
		c.mu.Unlock()
	}
}

func (c *crowd) all() (users, convs []chat.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.users), slices.Clone(c.convs)
}

// watch asks all the time whether somebody is taken for offline.
func (c *crowd) watch(ctx context.Context) {
	for ctx.Err() == nil {
		users, _ := c.all()
		started := time.Now()
		statuses, _ := c.directory().Statuses(ctx, users, nil)
		if took := time.Since(started); took > 2*commandTimeout {
			c.t.Errorf("asking took %v", took)
		}
		for user, s := range statuses {
			if statusWord(s) == "offline" {
				c.t.Errorf("%s is connected and called offline", user)
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// complete waits until all users and rooms are registered.
func (c *crowd) complete() {
	c.t.Helper()
	users, convs := c.all()
	for deadline := time.Now().Add(40 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		byUser, byConv, err := c.directory().Owners(c.t.Context(), users, convs)
		if err == nil && len(byUser) == len(users) && len(byConv) == len(convs) {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%d of %d users and %d of %d rooms are registered: %v", len(byUser), len(users), len(byConv), len(convs), err)
		}
	}
}

// goesOn checks that coming and going is told as ever, and that nobody who stayed was told to have gone.
func (c *crowd) goesOn() {
	c.t.Helper()
	c.mu.Lock()
	leaver := c.users[0]
	c.users = c.users[1:]
	c.mu.Unlock()
	_ = c.a.Disconnect(c.t.Context(), leaver) // or Run does it
	for deadline := time.Now().Add(40 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		told := c.take()
		for _, change := range told {
			if !change.Online && change.UserID != leaver {
				c.t.Fatalf("%s stayed and was announced to be gone", change.UserID)
			}
		}
		if slices.ContainsFunc(told, func(change chat.PresenceChange) bool { return !change.Online }) {
			break
		}
		if time.Now().After(deadline) {
			c.t.Fatal("who left is not announced")
		}
	}
	c.join(1)
	c.complete()
}

// replicated waits until the replicas have all that was written.
func (c *crowd) replicated(s redistest.Set) {
	for shard := range shards {
		redistest.Replicated(c.t, s, clockKey(shard))
	}
}

// The master dies with what it had confirmed last: users who had just come, rooms that had just been opened.
func TestAFailoverLosesLeases(t *testing.T) {
	redistest.OnSets(t, func(t *testing.T, s redistest.Set) {
		c := newCrowd(t, s)
		c.join(20)
		c.replicated(s)
		key := clockKey(shardOf(c.users[0]))
		old := redistest.LoseAndKill(t, s, key, func() { c.join(40) })
		died := time.Now()
		s.AwaitFailover(old, key)
		failed := time.Since(died)
		select {
		case <-c.forgotten:
		case <-time.After(40 * time.Second):
			t.Fatal("nobody noticed that leases were lost")
		}
		c.complete()
		t.Logf("failover %v, complete after %v", failed, time.Since(died))
		c.goesOn()
	})
}

// The master is out of reach, is replaced, and comes back: believing that it is the master still.
func TestAMasterComesBack(t *testing.T) {
	redistest.OnSets(t, func(t *testing.T, s redistest.Set) {
		c := newCrowd(t, s)
		c.join(40)
		key := clockKey(shardOf(c.users[0]))
		old := s.MasterOf(key)
		old.Pause()
		s.AwaitFailover(old, key)
		c.complete()
		old.Resume()
		c.goesOn()
		s.AwaitReplica(old)
		c.complete()
	})
}

// A shard is moved to another node of the cluster while all goes on.
func TestAShardMoves(t *testing.T) {
	t.Parallel()
	s := redistest.StartCluster(t)
	c := newCrowd(t, s)
	c.join(60)
	for i := range 3 {
		key := clockKey(shardOf(c.users[i]))
		to := s.Nodes[0]
		if s.MasterOf(key) == to {
			to = s.Nodes[1]
		}
		s.MoveSlot(key, to, func() {})
	}
	c.complete()
	c.goesOn()
}
