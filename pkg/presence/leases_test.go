package presence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/redis/redistest"
)

func TestOnlineWithTheFirstOfflineWithTheLast(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		a, b, user := w.gateway("a"), w.gateway("b"), chat.NewID()
		w.wantStatus(user, "offline")
		online := w.connect(a, user)
		if online == nil || !online.Online || online.UserID != user {
			t.Fatalf("the first device: %+v", online)
		}
		if change := w.connect(b, user); change != nil {
			t.Fatalf("the second device changed something: %+v", change)
		}
		got := w.owners(user)
		slices.Sort(got)
		if !slices.Equal(got, []string{"a", "b"}) {
			t.Fatalf("owners %v", got)
		}
		w.must(a.Disconnect(t.Context(), user))
		w.pass(2 * w.grace())
		w.wantStatus(user, "online")
		w.wantTold()
		w.must(b.Disconnect(t.Context(), user))
		w.pass(w.grace() / 2)
		w.wantStatus(user, "online")
		w.wantTold()
		w.pass(w.grace())
		w.wantStatus(user, "offline")
		told := w.wantTold("offline")
		if told[0].Version <= online.Version || told[0].UserID != user {
			t.Fatalf("offline %+v after online %+v", told[0], *online)
		}
		w.pass(w.ttl / 2)
		w.wantTold()
	})
}

// A cluster refuses a script on keys of several slots; every script runs here.
func TestOnACluster(t *testing.T) {
	t.Parallel()
	w := newRealWorld(t, redistest.ClusterClient(t, redistest.StartClusterOfOne(t).Addr()))
	a := w.gateway("a")
	var users, convs []chat.ID
	for range 100 {
		users, convs = append(users, chat.NewID()), append(convs, chat.NewID())
	}
	for i := range users {
		if _, err := arrive(t.Context(), a, users[i]); err != nil {
			t.Fatal(err)
		}
		w.must(a.OpenRoom(t.Context(), convs[i]))
	}
	w.must(a.Reassert(t.Context()))
	byUser, byConv, err := w.directory().Owners(t.Context(), users, convs)
	w.must(err)
	if len(byUser) != len(users) || len(byConv) != len(convs) {
		t.Fatalf("%d users and %d rooms registered", len(byUser), len(byConv))
	}
	w.must(a.Release(t.Context()))
	w.take()
	w.pass(max(tellAfter, w.grace()) + 2*w.unit()) // the changes are unconfirmed, too
	statuses, err := w.directory().Statuses(t.Context(), users, nil)
	w.must(err)
	told := map[chat.ID]bool{}
	for _, c := range w.take() {
		told[c.UserID] = c.Online
	}
	for _, user := range users {
		if online, ok := told[user]; !ok || online || statusWord(statuses[user]) != "offline" {
			t.Fatalf("told %v, online %v, status %s", ok, online, statusWord(statuses[user]))
		}
	}
}

func TestAReloadWithinTheGraceIsSwallowed(t *testing.T) {
	w := miniWorld(t)
	a, b, user := w.gateway("a"), w.gateway("b"), chat.NewID()
	w.connect(a, user)
	for range 5 {
		w.must(a.Disconnect(t.Context(), user))
		w.pass(w.grace() / 2)
		if change := w.connect(a, user); change != nil {
			t.Fatalf("back at the same gateway: %+v", change)
		}
	}
	w.must(a.Disconnect(t.Context(), user))
	w.pass(w.grace() / 2)
	if change := w.connect(b, user); change != nil {
		t.Fatalf("back at another gateway: %+v", change)
	}
	w.pass(3 * w.ttl)
	w.wantStatus(user, "online")
	w.wantTold()
}

// The lease is over, but no sweeper has come yet: nobody was told, so there is nothing to tell.
func TestBackBeforeTheSweeperCame(t *testing.T) {
	w := miniWorld(t)
	a, user := w.gateway("a"), chat.NewID()
	w.connect(a, user)
	w.must(a.Disconnect(t.Context(), user))
	w.sweeper = nil
	w.pass(2 * w.grace())
	if change := w.connect(a, user); change != nil {
		t.Fatalf("changed: %+v", change)
	}
	w.sweeper = w.newSweeper()
	w.pass(w.ttl)
	w.wantTold()
}

func TestAGoodbyeSaidTwiceDoesNotLengthenTheGrace(t *testing.T) {
	w := miniWorld(t)
	a, user := w.gateway("a"), chat.NewID()
	w.connect(a, user)
	w.must(a.Disconnect(t.Context(), user))
	w.pass(w.grace() / 2)
	w.must(a.Disconnect(t.Context(), user))
	w.pass(w.grace()/2 + w.unit())
	w.wantTold("offline")
}

func TestAGatewayThatDies(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		a, user := w.gateway("a"), chat.NewID()
		w.connect(a, user)
		w.pass(w.ttl) // renewed meanwhile
		w.wantStatus(user, "online")
		died := w.now()
		delete(w.gateways, "a")
		w.pass(w.ttl / 2)
		w.wantStatus(user, "online")
		w.wantTold()
		w.pass(w.ttl/2 + 2*w.unit())
		w.wantStatus(user, "offline")
		w.wantTold("offline")
		seen, err := w.directory().Statuses(t.Context(), []chat.ID{user}, nil)
		w.must(err)
		if at := seen[user].LastSeen; at.After(died) || at.Before(died.Add(-w.ttl/3-4*w.unit())) {
			t.Errorf("last seen %v, died %v", at, died)
		}
	})
}

func TestAGatewayThatDiesDuringTheGrace(t *testing.T) {
	w := miniWorld(t)
	a, user := w.gateway("a"), chat.NewID()
	w.connect(a, user)
	w.must(a.Disconnect(t.Context(), user))
	left := w.now()
	delete(w.gateways, "a")
	w.pass(w.grace() + w.unit())
	w.wantTold("offline")
	seen, err := w.directory().Statuses(t.Context(), []chat.ID{user}, nil)
	w.must(err)
	if !seen[user].LastSeen.Equal(left) {
		t.Errorf("last seen %v, left %v", seen[user].LastSeen, left)
	}
}

// A gateway that was stopped for longer than the TTL comes back with its users: they were announced to
// be gone, so they are announced to be back.
func TestAGatewayThatWasStopped(t *testing.T) {
	w := miniWorld(t)
	a, user := w.gateway("a"), chat.NewID()
	online := w.connect(a, user)
	delete(w.gateways, "a")
	w.pass(w.ttl + w.unit())
	w.wantTold("offline")
	w.gateways["a"] = a
	w.pass(2 * w.unit())
	w.wantStatus(user, "online")
	if told := w.wantTold("online"); told[0].Version <= online.Version {
		t.Errorf("version %d after %d", told[0].Version, online.Version)
	}
}

func TestWithoutRedis(t *testing.T) {
	w := miniWorld(t)
	w.client = redistest.Client(t, w.mini.Addr()) // which heeds a context that has ended
	a, user, conv := w.gateway("a"), chat.NewID(), chat.NewID()
	dead := NewLeases(LeasesConfig{Redis: w.client, Instance: "dead", TTL: w.ttl, Clock: w.now})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := arrive(ctx, a, user); !errors.Is(err, chat.ErrUnavailable) {
		t.Errorf("Connect: %v", err)
	}
	if err := a.OpenRoom(ctx, conv); !errors.Is(err, chat.ErrUnavailable) {
		t.Errorf("OpenRoom: %v", err)
	}
	if _, _, err := w.directory().Owners(ctx, []chat.ID{user}, nil); !errors.Is(err, chat.ErrUnavailable) {
		t.Errorf("Owners: %v", err)
	}
	statuses, err := w.directory().Statuses(ctx, []chat.ID{user}, nil)
	if !errors.Is(err, chat.ErrUnavailable) || len(statuses) != 1 || statuses[user].Online != nil {
		t.Errorf("Statuses: %v, %v", statuses, err)
	}
	if err := dead.Reassert(ctx); err == nil && len(w.rooms(conv)) > 0 {
		t.Error("a room that could not be opened is open")
	}
	// The user is remembered, the room is not; a sweeper announces what nobody else can.
	w.pass(2 * w.unit())
	w.wantStatus(user, "online")
	w.wantTold("online")
	if got := w.rooms(conv); len(got) != 0 {
		t.Errorf("room %v", got)
	}
}

func TestRooms(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		a, b, conv := w.gateway("a"), w.gateway("b"), chat.NewID()
		w.must(a.OpenRoom(t.Context(), conv))
		w.must(a.OpenRoom(t.Context(), conv))
		w.must(b.OpenRoom(t.Context(), conv))
		if got := w.rooms(conv); len(got) != 2 {
			t.Fatalf("owners %v", got)
		}
		w.must(b.CloseRoom(t.Context(), conv))
		w.must(b.CloseRoom(t.Context(), conv))
		w.pass(w.ttl + w.unit())
		if got := w.rooms(conv); !slices.Equal(got, []string{"a"}) {
			t.Fatalf("owners %v, want the one that renews", got)
		}
		delete(w.gateways, "a")
		w.pass(w.ttl + w.unit())
		if got := w.rooms(conv); len(got) != 0 {
			t.Fatalf("owners %v after the gateway died", got)
		}
	})
}

func TestRelease(t *testing.T) {
	w := miniWorld(t)
	a := w.gateway("a")
	users, convs := make([]chat.ID, maxPipeline+50), make([]chat.ID, maxPipeline+50)
	for i := range users {
		users[i] = chat.NewID()
		a.table.set(lease{id: users[i]}, hold, w.now())
	}
	for i := range convs {
		convs[i] = chat.NewID()
		_, _, err := a.table.open(t.Context(), lease{room: true, id: convs[i]}, w.now())
		w.must(err)
	}
	w.insist(func() error { return a.Reassert(t.Context()) })
	var byUser, byConv map[chat.ID][]string
	w.insist(func() (err error) {
		byUser, byConv, err = w.directory().Owners(t.Context(), users, convs)
		return err
	})
	if len(byUser) != len(users) || len(byConv) != len(convs) {
		t.Fatalf("%d users and %d rooms registered", len(byUser), len(byConv))
	}
	w.take()
	w.insist(func() error { return a.Release(t.Context()) })
	w.insist(func() (err error) {
		_, byConv, err = w.directory().Owners(t.Context(), nil, convs)
		return err
	})
	if len(byConv) != 0 {
		t.Errorf("%d rooms are still registered", len(byConv))
	}
	delete(w.gateways, "a")
	w.pass(w.grace() + w.unit())
	offline := 0
	for _, c := range w.take() {
		if !c.Online {
			offline++
		}
	}
	if offline != len(users) {
		t.Errorf("%d users went offline, want %d", offline, len(users))
	}
}

// Nothing stays in Redis for ever.
func TestEveryKeyEnds(t *testing.T) {
	w := miniWorld(t)
	a, user, gone, conv := w.gateway("a"), chat.NewID(), chat.NewID(), chat.NewID()
	w.connect(a, user)
	_, err := arrive(t.Context(), a, gone) // never confirmed
	w.must(err)
	w.must(a.OpenRoom(t.Context(), conv))
	w.must(a.Disconnect(t.Context(), gone))
	w.must(w.directory().Asked(t.Context(), "a", []chat.ID{user}, time.Minute))
	w.pass(2 * w.unit())
	for pattern, n := range redistest.CheckKeys(t, w.client) {
		if strings.HasPrefix(pattern, "presence:") && n == 0 {
			t.Errorf("there is no %s", pattern)
		}
	}
	w.move(31 * 24 * time.Hour)
	if keys, _ := w.client.Keys(t.Context(), "*").Result(); len(keys) != 0 {
		t.Errorf("still there: %v", keys)
	}
}

// awayShard is a part of Redis that does not answer.
type awayShard struct{ keys string }

func (awayShard) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (awayShard) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (a awayShard) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			if strings.Contains(fmt.Sprint(cmd.Args()), a.keys) {
				for _, c := range cmds {
					c.SetErr(io.EOF)
				}
				return io.EOF
			}
		}
		return next(ctx, cmds)
	}
}

// What can be given up is, though a part of Redis is away.
func TestReleaseTriesEverything(t *testing.T) {
	w := miniWorld(t)
	a := w.gateway("a")
	users, convs := make([]chat.ID, 200), make([]chat.ID, 200)
	inAway := 0
	for i := range users {
		users[i], convs[i] = chat.NewID(), chat.NewID()
		w.connect(a, users[i])
		w.must(a.OpenRoom(t.Context(), convs[i]))
		if shardOf(convs[i]) == 7 {
			inAway++
		}
	}
	a.cfg.Redis = redistest.Unhurried(t, w.mini)
	a.cfg.Redis.AddHook(awayShard{"presence:{7}:"})
	if err := a.Release(t.Context()); !errors.Is(err, chat.ErrUnavailable) {
		t.Errorf("%v; want ErrUnavailable, because a part is away", err)
	}
	if _, byConv, err := w.directory().Owners(t.Context(), nil, convs); err != nil || len(byConv) != inAway {
		t.Errorf("%d rooms are still registered, %v; want the %d of the part that is away", len(byConv), err, inAway)
	}
	delete(w.gateways, "a")
	w.pass(w.grace() + w.unit())
	statuses, err := w.directory().Statuses(t.Context(), users, nil)
	w.must(err)
	for user, s := range statuses {
		if want := map[bool]string{true: "online", false: "offline"}[shardOf(user) == 7]; statusWord(s) != want {
			t.Errorf("a user of shard %d is %s, want %s", shardOf(user), statusWord(s), want)
		}
	}
}
