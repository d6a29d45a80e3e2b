package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/dozaar/dozaar/pkg/auth"
	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/relay"
	"github.com/dozaar/dozaar/pkg/socketio"
	"github.com/dozaar/dozaar/pkg/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeConn keeps what a socket was sent.
type fakeConn struct {
	t      testing.TB
	mu     sync.Mutex
	got    []sentEvent
	closed string
}

type sentEvent struct {
	Name string
	Data json.RawMessage
}

func (c *fakeConn) ID() string { return "fake" }

func (c *fakeConn) Emit(event string, args ...any) error {
	p, err := socketio.Encode(Namespace, event, args...)
	if err == nil {
		c.Send(p)
	}
	return err
}

func (c *fakeConn) Send(p *socketio.Packet) {
	var event []json.RawMessage
	if err := json.Unmarshal(bytes.TrimPrefix(p.Payload(), []byte("42"+Namespace+",")), &event); err != nil {
		panic(err)
	}
	var name string
	if err := json.Unmarshal(event[0], &name); err != nil {
		panic(err)
	}
	if c.t != nil {
		described.heard(c.t, name, event[1])
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, sentEvent{name, event[1]})
}

func (c *fakeConn) Drain(context.Context, int) error { return nil }

func (c *fakeConn) Close(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = reason
}

// events are the payloads of one event, in order.
func (c *fakeConn) events(name string) []json.RawMessage {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []json.RawMessage
	for _, e := range c.got {
		if e.Name == name {
			list = append(list, e.Data)
		}
	}
	return list
}

// seqs are the numbers of the messages shown, in order.
func (c *fakeConn) seqs() []int64 {
	var list []int64
	for _, raw := range c.events("new:message") {
		var m struct{ Seq int64 }
		if err := json.Unmarshal(raw, &m); err != nil {
			panic(err)
		}
		list = append(list, m.Seq)
	}
	return list
}

func (c *fakeConn) closedFor() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// world is a gateway with everything around it in memory.
type world struct {
	*Gateway
	t         testing.TB
	store     *storetest.Memory
	mu        sync.Mutex // held while something is published
	published []chat.Message
	trace     string // of the last message
	receipts  []chat.Receipt
	owner     string // the gateway that owns every room; "" for none
	fault     error  // what every publish answers
	offsets   map[chat.ID]int64
	arrivals  []chat.Arrival          // guarded by mu
	hidden    []chat.ID               // by Hide
	unseen    []chat.ID               // whom nobody may see
	online    map[chat.ID]bool        // nil: the directory is away
	questions [][]chat.ID             // as Redis was told of them
	missed    [][]chat.PresenceChange // guarded by mu; what it was asked
	settling  bool                    // guarded by mu; Redis cannot say what was missed
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, store: storetest.NewMemory(), owner: "this", offsets: map[chat.ID]int64{}}
	w.Gateway = New(Config{
		Verifier: w, Store: w.store, Publisher: w, Leases: w, Directory: w, View: w, Hider: w, Relay: w, Instance: "this", Announcer: w,
		Limits: DefaultLimits(), TypingTTL: 10 * time.Second,
		Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	return w
}

// start runs the gateway until the test ends.
func (w *world) start() *world {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	})
	return w
}

// Verify takes "user-id username" for a token of one hour.
func (w *world) Verify(_ context.Context, token string) (auth.Identity, error) {
	var raw, name string
	if _, err := fmt.Sscan(token, &raw, &name); err != nil {
		return auth.Identity{}, chat.ErrUnauthorized
	}
	user, ok := chat.ParseID(raw)
	if !ok {
		return auth.Identity{}, chat.ErrUnauthorized
	}
	return auth.Identity{User: chat.User{ID: user, Username: name}, ExpiresAt: time.Now().Add(time.Hour)}, nil
}

func (w *world) PublishMessage(ctx context.Context, m chat.Message) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault == nil {
		w.trace = chat.TraceParent(ctx)
		w.published = append(w.published, m)
	}
	return w.fault
}

func (w *world) PublishReceipt(_ context.Context, r chat.Receipt) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault == nil {
		w.receipts = append(w.receipts, r)
	}
	return w.fault
}

func (w *world) Connect(_ context.Context, arrivals ...chat.Arrival) ([]chat.PresenceChange, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.arrivals = append(w.arrivals, arrivals...)
	return nil, nil
}
func (w *world) Disconnect(context.Context, ...chat.ID) error  { return nil }
func (w *world) OpenRoom(context.Context, chat.ID) error       { return nil }
func (w *world) CloseRoom(context.Context, chat.ID) error      { return nil }
func (w *world) Reassert(context.Context) error                { return nil }
func (w *world) Announce(context.Context, chat.PresenceChange) {}

func (w *world) Owners(_ context.Context, users, conversations []chat.ID) (byUser, byConversation map[chat.ID][]string, err error) {
	byUser, byConversation = map[chat.ID][]string{}, map[chat.ID][]string{}
	for _, u := range users {
		byUser[u] = []string{w.owner}
	}
	for _, c := range conversations {
		if w.owner != "" {
			byConversation[c] = []string{w.owner}
		}
	}
	return byUser, byConversation, nil
}

func (w *world) Visible(_ context.Context, _ chat.ID, users []chat.ID) ([]chat.ID, error) {
	return slices.DeleteFunc(slices.Clone(users), func(u chat.ID) bool { return slices.Contains(w.unseen, u) }), nil
}

func (w *world) Forget(chat.ID) {}

func (w *world) Hide(_ context.Context, user chat.ID) error {
	w.hidden = append(w.hidden, user)
	return nil
}

func (w *world) Asked(_ context.Context, _ string, users []chat.ID, _ time.Duration) error {
	w.questions = append(w.questions, users)
	return nil
}

func (w *world) Statuses(_ context.Context, users, visible []chat.ID) (map[chat.ID]chat.PresenceStatus, error) {
	if w.online == nil {
		return nil, chat.ErrUnavailable
	}
	found := map[chat.ID]chat.PresenceStatus{}
	for _, u := range users {
		is := w.online[u] && slices.Contains(visible, u)
		found[u] = chat.PresenceStatus{Online: &is}
	}
	return found, nil
}

func (w *world) Missed(_ context.Context, told []chat.PresenceChange) ([]chat.PresenceChange, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.missed = append(w.missed, told)
	if w.settling {
		return told, nil
	}
	return nil, nil
}

// Send takes relayed envelopes straight back in.
func (w *world) Send(ctx context.Context, envelopes []relay.Addressed) error {
	for _, e := range envelopes {
		w.Receive(ctx, e.Envelope)
	}
	return nil
}

// conversation makes one of these users.
func (w *world) conversation(users ...chat.User) chat.ID {
	c := chat.Conversation{ID: chat.NewID(), Revision: 1, CreatedAt: time.Now()}
	for _, u := range users {
		c.Members = append(c.Members, chat.Member{UserID: u.ID, Username: u.Username})
	}
	if _, _, err := w.store.CreateConversation(context.Background(), c); err != nil {
		w.t.Fatal(err)
	}
	return c.ID
}

// put stores the conversation's next message, as streams/deliver does before it rebroadcasts.
func (w *world) put(conversation chat.ID, sender chat.User, text string) chat.Message {
	ctx := context.Background()
	w.offsets[conversation]++
	m := chat.Draft{Text: text}.New(conversation, sender, time.Now())
	m.Seq = w.offsets[conversation]
	p := chat.Position{Offset: m.Seq}
	if err := w.store.PutMessages(ctx, []chat.StoredMessage{{Message: m, Position: p}}); err != nil {
		w.t.Fatal(err)
	}
	if err := w.store.PutHeads(ctx, []chat.Head{{ConversationID: conversation, Seq: m.Seq, Position: p, ActivityAt: m.CreatedAt}}); err != nil {
		w.t.Fatal(err)
	}
	return m
}

func (w *world) relay(m chat.Message, notify ...chat.ID) {
	w.Receive(context.Background(), relay.Envelope{Message: &relay.Message{Message: m, Revision: 1, Notify: notify}})
}

// connect begins a session of the user.
func (w *world) connect(u chat.User) (*session, *fakeConn) {
	c := &fakeConn{t: w.t}
	s := w.newSession(auth.Identity{User: u, ExpiresAt: time.Now().Add(time.Hour)})
	w.connected(s, c)
	return s, c
}

// do handles one client event and returns its acknowledgement.
func (w *world) do(s *session, event string, payload any) map[string]any {
	w.t.Helper()
	raw, err := json.Marshal(payload)
	if err != nil {
		w.t.Fatal(err)
	}
	var ack map[string]any
	w.event(context.Background(), s, event, raw, func(args ...any) {
		if ack != nil {
			w.t.Errorf("%s was acknowledged twice", event)
		}
		raw, err := json.Marshal(args[0])
		if err == nil {
			err = json.Unmarshal(raw, &ack)
		}
		if err != nil {
			w.t.Error(err)
		}
	})
	if ack == nil {
		w.t.Errorf("%s was not acknowledged", event)
	}
	described.answered(w.t, event, ack)
	return ack
}

// must is do for what has to succeed.
func (w *world) must(s *session, event string, payload any) map[string]any {
	w.t.Helper()
	ack := w.do(s, event, payload)
	if ack["ok"] != true {
		w.t.Fatalf("%s: %v", event, ack)
	}
	return ack
}

func newUser(name string) chat.User { return chat.User{ID: chat.NewID(), Username: name} }

type obj = map[string]any

func eventually(t testing.TB, what string, probe func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !probe(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}
