package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/dozaar/dozaar/pkg/api"
	"github.com/dozaar/dozaar/pkg/auth"
	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// harness is the API on fakes, and the contract that every exchange with it is held to.
type harness struct {
	t         testing.TB
	handler   http.Handler
	contract  *contract
	store     *store
	publisher *publisher
	presence  *presence
	metrics   *prometheus.Registry
	log       *bytes.Buffer
	clock     *time.Time
}

var (
	buyer    = chat.User{ID: mustID("11111111-1111-4111-8111-111111111111"), Username: "Bea"}
	seller   = chat.User{ID: mustID("22222222-2222-4222-8222-222222222222"), Username: "Sol"}
	stranger = chat.User{ID: mustID("33333333-3333-4333-8333-333333333333"), Username: "Sam"}
	shop     = chat.User{ID: mustID("44444444-4444-4444-8444-444444444444"), Username: "The Shop"}
)

func mustID(s string) chat.ID {
	id, ok := chat.ParseID(s)
	if !ok {
		panic(s)
	}
	return id
}

func newHarness(t testing.TB) *harness {
	t.Helper()
	now := time.Date(2026, 1, 31, 12, 0, 0, 123_456_789, time.UTC)
	h := &harness{
		t:         t,
		contract:  newContract(t),
		store:     &store{Memory: storetest.NewMemory()},
		publisher: &publisher{},
		presence:  &presence{},
		metrics:   prometheus.NewPedanticRegistry(),
		log:       &bytes.Buffer{},
		clock:     &now,
	}
	h.handler = h.patient(api.Rate{})
	return h
}

// patient is the API with a bound on how often one user may ask.
func (h *harness) patient(limit api.Rate) http.Handler {
	if limit != (api.Rate{}) {
		h.metrics = prometheus.NewPedanticRegistry() // each handler registers its own
	}
	return api.New(api.Config{
		Verifier:      verifier{},
		Conversations: h.store,
		History:       h.store,
		Inbox:         h.store,
		Erasures:      h.store,
		Publisher:     h.publisher,
		Presence:      h.presence,
		Settings:      h.store,
		Gateways:      h.presence,
		Now:           func() time.Time { return *h.clock },
		Logger:        slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Registerer:    h.metrics,
		UserRate:      limit,
	})
}

// at is the same harness, telling its troubles to a subtest.
func (h *harness) at(t testing.TB) *harness {
	other := *h
	other.t = t
	return &other
}

// response is what came back.
type response struct {
	status int
	header http.Header
	body   string
}

// do sends a request with the token of that name ("" for none).
func (h *harness) do(method, path, token, body string) response {
	h.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return h.send(r, body)
}

func (h *harness) send(r *http.Request, body string) response {
	h.t.Helper()
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	h.contract.check(h.t, r, []byte(body), w)
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		h.t.Errorf("%s %s: Cache-Control is %q: the answer is one person's, and no cache's", r.Method, r.URL.Path, got)
	}
	return response{w.Code, w.Header(), w.Body.String()}
}

// into reads an answer of the given status.
func (r response) into(t testing.TB, status int, v any) {
	t.Helper()
	if r.status != status {
		t.Fatalf("answered %d, want %d: %s", r.status, status, r.body)
	}
	if err := json.Unmarshal([]byte(r.body), v); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
}

// problem expects a problem with this status, code and field.
func (r response) problem(t testing.TB, status int, code chat.Code, field string) {
	t.Helper()
	var p struct {
		Status int
		Code   chat.Code
		Field  string
		Title  string
	}
	r.into(t, status, &p)
	if p.Status != status || p.Code != code || p.Field != field || p.Title != http.StatusText(status) {
		t.Errorf("the problem is %s; want code %s, field %q", r.body, code, field)
	}
}

// counted is what a counter says, by its labels' values.
func (h *harness) counted(name string) map[string]float64 {
	h.t.Helper()
	families, err := h.metrics.Gather()
	if err != nil {
		h.t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			counts[strings.Join(labels, " ")] = m.GetCounter().GetValue()
		}
	}
	return counts
}

// conversation stores one whose members these are.
func (h *harness) conversation(users ...chat.User) chat.Conversation {
	h.t.Helper()
	c := chat.Conversation{ID: chat.NewID(), Revision: 1, CreatedAt: *h.clock}
	for _, u := range users {
		c.Members = append(c.Members, chat.Member{UserID: u.ID, Username: u.Username})
	}
	c, created, err := h.store.Memory.CreateConversation(context.Background(), c)
	if err != nil || !created {
		h.t.Fatal(created, err)
	}
	return c
}

// said has a user write texts in a conversation, a second apart.
func (h *harness) said(c chat.Conversation, by chat.User, texts ...string) {
	h.t.Helper()
	for _, text := range texts {
		*h.clock = h.clock.Add(time.Second)
		h.put(chat.Draft{Text: text}.New(c.ID, by, *h.clock))
	}
}

// deliver stores what was published since it was last called.
func (h *harness) deliver() {
	for _, m := range h.publisher.messages {
		h.put(m)
	}
	h.publisher.messages = nil
}

// put stores a message as its conversation's next.
func (h *harness) put(m chat.Message) {
	h.t.Helper()
	ctx := context.Background()
	heads, err := h.store.Memory.Heads(ctx, []chat.ID{m.ConversationID})
	m.Seq = heads[m.ConversationID].Seq + 1
	p := chat.Position{Epoch: 1, Offset: m.Seq}
	head := chat.Head{ConversationID: m.ConversationID, Seq: m.Seq, Position: p, ActivityAt: m.CreatedAt}
	err = errors.Join(err,
		h.store.PutMessages(ctx, []chat.StoredMessage{{Message: m, Position: p}}),
		h.store.PutHeads(ctx, []chat.Head{head}))
	if err != nil {
		h.t.Fatal(err)
	}
}

// verifier knows a few tokens by heart.
type verifier struct{}

func (verifier) Verify(_ context.Context, token string) (auth.Identity, error) {
	switch token {
	case "buyer":
		return auth.Identity{User: buyer}, nil
	case "seller":
		return auth.Identity{User: seller}, nil
	case "stranger":
		return auth.Identity{User: stranger}, nil
	case "service":
		return auth.Identity{User: shop, Service: true}, nil
	case "expired":
		return auth.Identity{}, fmt.Errorf("auth: %w", chat.ErrTokenExpired)
	case "away":
		return auth.Identity{}, fmt.Errorf("auth: no keys: %w", chat.ErrUnavailable)
	case "broken":
		panic("planted in the verifier")
	}
	return auth.Identity{}, fmt.Errorf("auth: %w", chat.ErrUnauthorized)
}

// store is one in memory, with a place for faults.
type store struct {
	*storetest.Memory
	before     func() error // whatever is asked for
	storedByID func() error
}

func unavailable() error { return fmt.Errorf("store: no node answers: %w", chat.ErrUnavailable) }

func (s *store) fault() error {
	if s.before == nil {
		return nil
	}
	return s.before()
}

func (s *store) CreateConversation(ctx context.Context, c chat.Conversation) (chat.Conversation, bool, error) {
	if err := s.fault(); err != nil {
		return chat.Conversation{}, false, err
	}
	return s.Memory.CreateConversation(ctx, c)
}

func (s *store) Conversation(ctx context.Context, id chat.ID) (chat.Conversation, error) {
	if err := s.fault(); err != nil {
		return chat.Conversation{}, err
	}
	return s.Memory.Conversation(ctx, id)
}

func (s *store) Erasure(ctx context.Context, user chat.ID) (chat.Erasure, bool, error) {
	if err := s.fault(); err != nil {
		return chat.Erasure{}, false, err
	}
	return s.Memory.Erasure(ctx, user)
}

func (s *store) Inbox(ctx context.Context, user chat.ID, from chat.InboxCursor, limit int) ([]chat.InboxEntry, error) {
	if err := s.fault(); err != nil {
		return nil, err
	}
	return s.Memory.Inbox(ctx, user, from, limit)
}

func (s *store) StoredByID(ctx context.Context, ids []chat.ID) (map[chat.ID]chat.StoredID, error) {
	if s.storedByID != nil {
		return nil, s.storedByID()
	}
	return s.Memory.StoredByID(ctx, ids)
}

func (s *store) Settings(ctx context.Context, users []chat.ID) (map[chat.ID]chat.Settings, error) {
	if err := s.fault(); err != nil {
		return nil, err
	}
	return s.Memory.Settings(ctx, users)
}

func (s *store) PutInvisible(ctx context.Context, user chat.ID, invisible bool) error {
	if err := s.fault(); err != nil {
		return err
	}
	return s.Memory.PutInvisible(ctx, user, invisible)
}

func (s *store) PutMuted(ctx context.Context, user, conversation chat.ID, muted bool) error {
	if err := s.fault(); err != nil {
		return err
	}
	return s.Memory.PutMuted(ctx, user, conversation, muted)
}

// publisher keeps what was published, or refuses it.
type publisher struct {
	err      error
	messages []chat.Message
	trace    string // of the last message
	events   []chat.ConversationEvent
	erasures []chat.ErasureEvent
}

func (p *publisher) PublishMessage(ctx context.Context, m chat.Message) error {
	if p.err == nil {
		p.trace = chat.TraceParent(ctx)
		p.messages = append(p.messages, m)
	}
	return p.err
}

func (p *publisher) PublishErasure(_ context.Context, e chat.ErasureEvent) error {
	if p.err == nil {
		p.erasures = append(p.erasures, e)
	}
	return p.err
}

func (p *publisher) PublishConversation(_ context.Context, e chat.ConversationEvent) error {
	if p.err == nil {
		p.events = append(p.events, e)
	}
	return p.err
}

// presence knows who is online, or nothing.
type presence struct {
	err      error
	statuses map[chat.ID]chat.PresenceStatus
	asked    []chat.ID
	unseen   []chat.ID // whom nobody may see
	changed  []chat.ID // whose settings are to be read again
}

func (p *presence) Visible(_ context.Context, _ chat.ID, users []chat.ID) ([]chat.ID, error) {
	return slices.DeleteFunc(slices.Clone(users), func(u chat.ID) bool { return slices.Contains(p.unseen, u) }), p.err
}

func (p *presence) Statuses(_ context.Context, users, visible []chat.ID) (map[chat.ID]chat.PresenceStatus, error) {
	p.asked = users
	if p.err != nil {
		return nil, p.err
	}
	seen := maps.Clone(p.statuses)
	maps.DeleteFunc(seen, func(u chat.ID, _ chat.PresenceStatus) bool { return !slices.Contains(visible, u) })
	return seen, nil
}

func (p *presence) SettingsChanged(_ context.Context, user chat.ID) error {
	if p.err == nil {
		p.changed = append(p.changed, user)
	}
	return p.err
}

// quote writes a text as JSON does.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}
