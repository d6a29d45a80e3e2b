package presence

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/relay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func id(n int) chat.ID { return chat.ID{14: byte(n >> 8), 15: byte(n)} }

// town is everybody the announcer talks to.
type town struct {
	mu     sync.Mutex
	peers  []chat.ID
	asked  int // the limit given to Peers
	owners map[chat.ID][]string
	asking []string

	kafka    error // what every publish answers
	recorded []chat.PresenceChange
	fails    int // Send fails so many times
	block    chan struct{}
	inside   chan struct{} // with block: a worker waits
	sent     [][]relay.Addressed
	told     []chat.PresenceChange
	newest   int64 // version of the last change
	signal   chan struct{}
}

func newTown(peers ...chat.ID) *town {
	return &town{peers: peers, owners: map[chat.ID][]string{}, signal: make(chan struct{}, 1000)}
}

func (w *town) Peers(ctx context.Context, _ chat.ID, limit int) ([]chat.ID, error) {
	if w.block != nil {
		select {
		case w.inside <- struct{}{}:
		default:
		}
		select {
		case <-w.block:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = limit
	return slices.Clone(w.peers), nil
}

func (w *town) Listeners(_ context.Context, _ chat.ID, peers []chat.ID) (map[chat.ID][]string, []string, error) {
	byPeer := map[chat.ID][]string{}
	for _, p := range peers {
		if at, ok := w.owners[p]; ok {
			byPeer[p] = at
		}
	}
	return byPeer, w.asking, nil
}

func (w *town) Send(_ context.Context, envelopes []relay.Addressed) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fails > 0 {
		w.fails--
		w.signal <- struct{}{}
		return chat.ErrUnavailable
	}
	w.sent = append(w.sent, envelopes)
	return nil
}

func (w *town) Newest(context.Context, chat.ID) (int64, error) { return w.newest, nil }

func (w *town) Told(_ context.Context, c chat.PresenceChange) error {
	w.mu.Lock()
	w.told = append(w.told, c)
	w.mu.Unlock()
	w.signal <- struct{}{}
	return nil
}

func (w *town) PublishPresence(ctx context.Context, c chat.PresenceChange) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.kafka != nil {
		return w.kafka
	}
	w.recorded = append(w.recorded, c)
	return ctx.Err()
}

func (w *town) wait(t *testing.T, n int) {
	t.Helper()
	for range n {
		select {
		case <-w.signal:
		case <-time.After(20 * time.Second):
			t.Fatal("waited in vain")
		}
	}
}

func run(t *testing.T, w *town, cfg Config) *Announcer {
	t.Helper()
	cfg.Peers, cfg.Directory, cfg.Relay, cfg.Publisher, cfg.MaxPeers = w, w, w, w, 500
	a := NewAnnouncer(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return a
}

// counted answers the counter of announcements.
func counted(t *testing.T, reg *prometheus.Registry, state, result string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["state"] == state && labels["result"] == result {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func TestEachGatewayIsToldOfItsOwn(t *testing.T) {
	user := id(1)
	w := newTown(id(2), user, id(3), id(4), id(5))
	w.owners[id(2)] = []string{"a", "b"}
	w.owners[id(3)] = []string{"b"}
	w.owners[id(5)] = []string{"a"}
	w.owners[user] = []string{"a"}
	a := run(t, w, Config{})
	change := chat.PresenceChange{UserID: user, Online: true, Version: 7, At: time.UnixMilli(8)}
	a.Announce(t.Context(), change)
	w.wait(t, 1)
	got := map[string][]chat.ID{}
	for _, s := range w.sent[0] {
		if s.Envelope.Presence.Change != change {
			t.Errorf("change %+v", s.Envelope.Presence.Change)
		}
		got[s.Gateway] = append(got[s.Gateway], s.Envelope.Presence.To...)
	}
	if len(w.sent[0]) != 2 || !slices.Equal(got["a"], []chat.ID{id(2), id(5)}) || !slices.Equal(got["b"], []chat.ID{id(2), id(3)}) {
		t.Errorf("told %v", got)
	}
	if len(w.told) != 1 || w.told[0] != change {
		t.Errorf("confirmed %v", w.told)
	}
}

func TestAtMostFiveHundredPeersMostRecentFirst(t *testing.T) {
	w := newTown()
	for i := range 700 { // a store that does not keep to the limit
		w.peers = append(w.peers, id(i+2))
		w.owners[id(i+2)] = []string{"a"}
	}
	a := run(t, w, Config{})
	a.Announce(t.Context(), chat.PresenceChange{UserID: id(1)})
	w.wait(t, 1)
	to := w.sent[0][0].Envelope.Presence.To
	if w.asked != 500 || len(to) != 500 || to[0] != id(2) || to[499] != id(501) {
		t.Errorf("asked for %d, told %d", w.asked, len(to))
	}
}

// Gateways where somebody has asked are told as well, those where peers are too in the same envelope.
func TestWhoeverAskedIsTold(t *testing.T) {
	user := id(1)
	w := newTown(id(2))
	w.owners[id(2)], w.asking = []string{"a"}, []string{"a", "c"}
	a := run(t, w, Config{})
	a.Announce(t.Context(), chat.PresenceChange{UserID: user})
	w.wait(t, 1)
	got := map[string]relay.Presence{}
	for _, s := range w.sent[0] {
		got[s.Gateway] = *s.Envelope.Presence
	}
	if len(w.sent[0]) != 2 || !got["a"].Asked || len(got["a"].To) != 1 || !got["c"].Asked || len(got["c"].To) != 0 {
		t.Errorf("told %+v", got)
	}
}

// A change that waited too long is told to nobody: a gateway whose people came since the later one would believe it.
func TestWhatHasChangedSinceIsNotTold(t *testing.T) {
	w := newTown(id(1))
	w.owners[id(1)] = []string{"a"}
	w.newest = 8
	a := run(t, w, Config{Workers: 1})
	for version := int64(7); version <= 9; version++ {
		a.Announce(t.Context(), chat.PresenceChange{UserID: id(9), Online: true, Version: version})
	}
	w.wait(t, 2)
	var told []int64
	for _, sent := range w.sent {
		told = append(told, sent[0].Envelope.Presence.Change.Version)
	}
	if !slices.Equal(told, []int64{8, 9}) || len(w.told) != 2 {
		t.Errorf("told of versions %v, confirmed %v", told, w.told)
	}
}

func TestWherePresenceIsOffNobodyIsTold(t *testing.T) {
	w := newTown(id(2))
	w.owners[id(2)], w.asking = []string{"a"}, []string{"a"}
	a := run(t, w, Config{Off: true})
	a.Announce(t.Context(), chat.PresenceChange{UserID: id(1)})
	w.wait(t, 1)
	if len(w.sent) != 0 || len(w.told) != 1 {
		t.Errorf("sent %v, confirmed %v", w.sent, w.told)
	}
}

func TestNobodyToTellIsTold(t *testing.T) {
	w := newTown()
	a := run(t, w, Config{})
	a.Announce(t.Context(), chat.PresenceChange{UserID: id(1)})
	w.wait(t, 1)
	if len(w.sent) != 0 || len(w.told) != 1 {
		t.Errorf("sent %v, confirmed %v", w.sent, w.told)
	}
}

func TestAFailureIsTriedAgainAndThenLeftUnconfirmed(t *testing.T) {
	w := newTown(id(2))
	w.owners[id(2)] = []string{"a"}
	w.fails = 2
	reg := prometheus.NewRegistry()
	a := run(t, w, Config{Workers: 1, Registerer: reg})
	a.Announce(t.Context(), chat.PresenceChange{UserID: id(1)})
	w.wait(t, 3)
	if len(w.told) != 1 {
		t.Fatalf("confirmed %v", w.told)
	}
	w.mu.Lock()
	w.fails = 3
	w.mu.Unlock()
	a.Announce(t.Context(), chat.PresenceChange{UserID: id(1), Version: 2})
	a.Announce(t.Context(), chat.PresenceChange{UserID: id(1), Version: 3})
	w.wait(t, 4)
	if len(w.told) != 2 || w.told[1].Version != 3 {
		t.Errorf("confirmed %v", w.told)
	}
	if got := counted(t, reg, "offline", "failed"); got != 1 {
		t.Errorf("%v failures counted", got)
	}
	again := NewAnnouncer(Config{Registerer: reg}) // the gateway's and the role's in one process
	if again.total != a.total {
		t.Error("two announcers of one process do not share their counter")
	}
}

func TestTheQueueIsBounded(t *testing.T) {
	w := newTown()
	w.block, w.inside = make(chan struct{}), make(chan struct{}, 1)
	reg := prometheus.NewRegistry()
	a := run(t, w, Config{Workers: 1, Queue: 3, Timeout: time.Minute, Registerer: reg})
	a.Announce(t.Context(), chat.PresenceChange{UserID: id(1)})
	<-w.inside // the worker has it
	for i := range 100 {
		a.Announce(t.Context(), chat.PresenceChange{UserID: id(1), Version: int64(i)})
	}
	if dropped := counted(t, reg, "offline", "dropped"); dropped != 97 {
		t.Errorf("%v dropped", dropped)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := a.Enqueue(ctx, chat.PresenceChange{UserID: id(1)}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Enqueue on a full queue: %v", err)
	}
	close(w.block)
	if err := a.Enqueue(t.Context(), chat.PresenceChange{UserID: id(1)}); err != nil {
		t.Error(err)
	}
}

func TestOneUsersChangesStayInOrder(t *testing.T) {
	w := newTown()
	a := run(t, w, Config{Workers: 4})
	const n = 200
	for i := range n {
		for user := range 3 {
			if err := a.Enqueue(t.Context(), chat.PresenceChange{UserID: id(user), Version: int64(i)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.wait(t, 3*n)
	next := map[chat.ID]int64{}
	for _, c := range w.told {
		if c.Version != next[c.UserID] {
			t.Fatalf("%v: version %d, want %d", c.UserID, c.Version, next[c.UserID])
		}
		next[c.UserID]++
	}
}

// sweeper is a role's other half that fails, or waits.
type sweeper struct{ err error }

func (s sweeper) Run(ctx context.Context) error {
	if s.err != nil {
		return s.err
	}
	<-ctx.Done()
	return nil
}

func TestRoleRuns(t *testing.T) {
	w := newTown()
	a := NewAnnouncer(Config{Peers: w, Directory: w, Relay: w, Publisher: w, MaxPeers: 500})
	broken := errors.New("broken")
	if err := New(sweeper{broken}, a).Run(t.Context()); !errors.Is(err, broken) {
		t.Errorf("Run: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- New(sweeper{}, a).Run(ctx) }()
	a.Announce(ctx, chat.PresenceChange{UserID: id(1)})
	w.wait(t, 1)
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}
