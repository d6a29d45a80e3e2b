package presence

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/redis/redistest"
)

func TestMain(m *testing.M) { redistest.VerifyNoLeaks(m) }

// world is a Redis, and the gateways and sweepers that a test moves step by step. On a Redis whose
// clock stands still time passes at once; on a real one it is waited for, in smaller units.
type world struct {
	t      testing.TB
	client redis.UniversalClient
	mini   *redistest.Mini // of miniWorld
	ttl    time.Duration
	now    func() time.Time
	move   func(time.Duration)

	gateways map[string]*Leases
	sweeper  *Sweeper

	mu   sync.Mutex
	told []chat.PresenceChange
}

// on runs a test on both kinds of Redis.
func on(t *testing.T, test func(t *testing.T, w *world)) {
	t.Parallel()
	t.Run("miniredis", func(t *testing.T) { test(t, miniWorld(t)) })
	t.Run("redis-server", func(t *testing.T) {
		t.Parallel()
		test(t, realWorld(t, redistest.StartServer(t)))
	})
}

func miniWorld(t testing.TB) *world {
	m := redistest.StartMini(t)
	w := newWorld(t, redistest.Unhurried(t, m), 30*time.Second, m.Now, m.Advance)
	w.mini = m
	return w
}

func realWorld(t testing.TB, s *redistest.Server) *world {
	return newRealWorld(t, redistest.Client(t, s.Addr()))
}

func newRealWorld(t testing.TB, client redis.UniversalClient) *world {
	return newWorld(t, client, 3*time.Second, time.Now, time.Sleep)
}

func newWorld(t testing.TB, client redis.UniversalClient, ttl time.Duration, now func() time.Time, move func(time.Duration)) *world {
	w := &world{t: t, client: client, ttl: ttl, now: now, move: move, gateways: map[string]*Leases{}}
	w.sweeper = w.newSweeper()
	w.step() // a new Redis is seen, and has to settle first
	w.pass(w.settle() + w.unit())
	return w
}

func (w *world) grace() time.Duration  { return w.ttl / 6 }
func (w *world) settle() time.Duration { return w.ttl / 6 }
func (w *world) unit() time.Duration   { return w.ttl / 30 }

// gateway starts one, which holds nothing.
func (w *world) gateway(name string) *Leases {
	g := NewLeases(LeasesConfig{
		Redis: w.client, Instance: name, TTL: w.ttl, Grace: w.grace(), Settle: w.settle(), Clock: w.now,
	})
	w.gateways[name] = g
	return g
}

func (w *world) directory() *Directory {
	return NewDirectory(DirectoryConfig{Redis: w.client, TTL: w.ttl, Settle: w.settle()})
}

// newSweeper makes one whose announcements are noted, and confirmed.
func (w *world) newSweeper() *Sweeper {
	return NewSweeper(SweeperConfig{Redis: w.client, TTL: w.ttl, Settle: w.settle()},
		func(ctx context.Context, c chat.PresenceChange) error {
			w.mu.Lock()
			w.told = append(w.told, c)
			w.mu.Unlock()
			return w.directory().Told(ctx, c)
		})
}

// pass lets time go by, in which the gateways that live renew and the sweeper, if there is one, sweeps:
// at least every second unit, and every unit towards the end.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	for end := w.now().Add(d); ; {
		left := end.Sub(w.now())
		if left <= 0 {
			return
		}
		stride := w.unit()
		if left > 6*stride {
			stride *= 2
		}
		w.move(min(left, stride))
		w.step()
	}
}

func (w *world) step() {
	w.t.Helper()
	for _, g := range w.gateways {
		w.insist(func() error {
			_, err := g.beat(w.t.Context())
			return err
		})
	}
	if w.sweeper != nil {
		w.insist(func() error { return w.sweeper.sweep(w.t.Context()) })
	}
}

// take answers what was announced since it was last asked.
func (w *world) take() []chat.PresenceChange {
	w.mu.Lock()
	defer w.mu.Unlock()
	told := w.told
	w.told = nil
	return told
}

// connect connects and confirms the announcement.
func (w *world) connect(g *Leases, user chat.ID) *chat.PresenceChange {
	w.t.Helper()
	change, err := arrive(w.t.Context(), g, user)
	if err != nil {
		w.t.Fatal(err)
	}
	if change != nil {
		if err := w.directory().Told(w.t.Context(), *change); err != nil {
			w.t.Fatal(err)
		}
	}
	return change
}

// insist tries again what a busy machine may not do in a command's time, as the callers of the product do.
func (w *world) insist(do func() error) {
	w.t.Helper()
	err := do()
	for range 10 {
		if !errors.Is(err, chat.ErrUnavailable) {
			break
		}
		err = do()
	}
	w.must(err)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// status answers "online", "offline" or "unknown".
func (w *world) status(user chat.ID) string {
	w.t.Helper()
	s, err := w.directory().Statuses(w.t.Context(), []chat.ID{user}, nil)
	w.must(err)
	return statusWord(s[user])
}

func statusWord(s chat.PresenceStatus) string {
	switch {
	case s.Online == nil:
		return "unknown"
	case *s.Online:
		return "online"
	}
	return "offline"
}

func (w *world) wantStatus(user chat.ID, want string) {
	w.t.Helper()
	if got := w.status(user); got != want {
		w.t.Fatalf("status is %s, want %s", got, want)
	}
}

// wantTold checks what was announced since it was last asked, as "online" and "offline".
func (w *world) wantTold(want ...string) []chat.PresenceChange {
	w.t.Helper()
	told := w.take()
	got := make([]string, len(told))
	for i, c := range told {
		got[i] = "offline"
		if c.Online {
			got[i] = "online"
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Fatalf("announced %v, want %v", got, want)
	}
	return told
}

func (w *world) owners(user chat.ID) []string {
	w.t.Helper()
	byUser, _, err := w.directory().Owners(w.t.Context(), []chat.ID{user}, nil)
	w.must(err)
	return byUser[user]
}

func (w *world) rooms(conv chat.ID) []string {
	w.t.Helper()
	_, byConv, err := w.directory().Owners(w.t.Context(), nil, []chat.ID{conv})
	w.must(err)
	return byConv[conv]
}

// arrive connects one user, who is visible.
func arrive(ctx context.Context, l *Leases, user chat.ID) (*chat.PresenceChange, error) {
	changes, err := l.Connect(ctx, chat.Arrival{UserID: user, Visibility: chat.Visible})
	if len(changes) == 0 {
		return nil, err
	}
	return &changes[0], err
}
