package load

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dozaar/dozaar/loadtest/client"
	"github.com/dozaar/dozaar/loadtest/history"
)

// TestArrivalsDoNotWait: what takes long delays later calls, but not when they are due, and none is left out.
func TestArrivalsDoNotWait(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	began, calls, last := time.Now(), 0, time.Time{}
	arrive(ctx, steady(1000), rand.New(rand.NewPCG(1, 1)), func(due time.Time) {
		if due.Before(last) || due.After(time.Now()) {
			t.Errorf("due at %s, after %s", due.Sub(began), last.Sub(began))
		}
		last = due
		if calls++; calls == 1 {
			time.Sleep(100 * time.Millisecond)
		}
		if calls == 1000 {
			cancel()
		}
	})
	if took := last.Sub(began); calls != 1000 || took < 800*time.Millisecond || took > 1200*time.Millisecond {
		t.Errorf("%d were due within %s", calls, took)
	}
}

func TestLatencyIsFromWhenItWasDue(t *testing.T) {
	c, u, k := uuid.New(), uuid.New(), uuid.New()
	event := func(at int, e history.Event) history.Event {
		e.At, e.Conversation = time.Duration(at)*time.Millisecond, c
		return e
	}
	l, err := Measure(history.Slice([]history.Event{
		event(10, history.Event{Kind: history.Joined, Device: "a"}),
		event(100, history.Event{Kind: history.Send, User: u, Client: k, Due: 50 * time.Millisecond}),
		event(110, history.Event{Kind: history.Answer, User: u, Client: k}),
		event(200, history.Event{Kind: history.Send, User: u, Client: k}),
		event(250, history.Event{Kind: history.Answer, User: u, Client: k, Outcome: history.OK}),
		event(300, history.Event{Kind: history.Shown, Device: "a", User: u, Sender: u, Client: k, Seq: 1}),
		event(900, history.Event{Kind: history.Joined, Device: "b", LastSeq: 1}),
		event(910, history.Event{Kind: history.Shown, Device: "b", User: u, Sender: u, Client: k, Seq: 1}), // a replay
	}))
	near := func(got, want time.Duration) bool { return got > want*99/100 && got < want*101/100 }
	if err != nil || l.Acked.Count != 1 || !near(l.Acked.Max, 200*time.Millisecond) || l.Delivered.Count != 1 || !near(l.Delivered.Max, 250*time.Millisecond) {
		t.Errorf("%+v, %v", l, err)
	}
}

// TestPhases: a message belongs to the part in which it was first sent, whatever comes of it later.
func TestPhases(t *testing.T) {
	c, u := uuid.New(), uuid.New()
	send := func(at time.Duration, body history.Body) history.Event {
		return history.Event{Kind: history.Send, At: at, Conversation: c, User: u, Device: "a", Body: body}
	}
	shown := func(at time.Duration, body history.Body) history.Event {
		return history.Event{Kind: history.Shown, At: at, Conversation: c, Device: "b", Sender: u, Body: body, Seq: int64(body)}
	}
	remark := func(text string) history.Event { return history.Event{Kind: history.Remark, Note: text} }
	events := []history.Event{
		{Kind: history.Joined, Conversation: c, Device: "b", LastSeq: 2},
		send(0, 1), send(0, 3), remark("calm"), shown(time.Second, 1), send(time.Second, 4), remark("storm"),
		send(4*time.Second, 4), send(4*time.Second, 5), shown(5*time.Second, 3), shown(5*time.Second, 4), shown(5*time.Second, 2), shown(7*time.Second, 5),
	}
	parts, err := Phases(history.Slice(events))
	if err != nil {
		t.Fatal(err)
	}
	for part, want := range map[string]time.Duration{"": 5 * time.Second, "calm": 4 * time.Second, "storm": 3 * time.Second} {
		if got := parts[part].Delivered; got.Count != 1 || got.Max.Round(10*time.Millisecond) != want {
			t.Errorf("%q: %+v; want one of %v", part, got, want)
		}
	}
}

func TestPlans(t *testing.T) {
	good := DefaultPlan()
	good.Target = NewDozaar([]string{"http://127.0.0.1:1"}, []byte("secret"))
	if err := good.validate(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Plan){
		"no target": func(p *Plan) { p.Target = nil }, "no gateway": func(p *Plan) { p.Target = NewDozaar(nil, nil) },
		"no rate": func(p *Plan) { p.Rate = 0 }, "a flat zipf": func(p *Plan) { p.Zipf = 1 }, "flat sellers": func(p *Plan) { p.SellerZipf = 1 },
		"warming up to the end": func(p *Plan) { p.Warm = p.Duration }, "bursts without an end": func(p *Plan) { p.Burst = Burst{time.Second, time.Minute, 2} },
		"a conversation with oneself": func(p *Plan) { p.Members = 1 },
		"no number":                   func(p *Plan) { p.Rate = math.NaN() }, "endless connects": func(p *Plan) { p.Connects = math.Inf(1) },
		"less than no text": func(p *Plan) { p.Size = -5 }, "more than all are slow": func(p *Plan) { p.Slow, p.Speed = 2, 1 },
	} {
		bad := good
		if spoil(&bad); bad.validate() == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// inboxes is an archive of inboxes alone, which counts who asked.
type inboxes struct {
	Archive
	mu    sync.Mutex
	asked map[uuid.UUID]int
}

func (a *inboxes) Inbox(_ context.Context, who Member) (map[uuid.UUID]Entry, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked[who.ID]++
	return nil, nil
}

func TestAsManyInboxesAreReadAsPlanned(t *testing.T) {
	for planned, want := range map[int]int{0: 10, 3: 4, 5: 5, 10: 10, 99: 10} {
		writer, err := history.Create(filepath.Join(t.TempDir(), "history"))
		if err != nil {
			t.Fatal(err)
		}
		archive := &inboxes{asked: map[uuid.UUID]int{}}
		r := &run{Plan: Plan{Inboxes: planned}, archive: archive, writer: writer, meter: NewMeter()}
		for range 10 {
			r.users = append(r.users, &user{Member: Member{ID: uuid.New()}, conversations: []*conversation{{id: uuid.New()}}})
		}
		if err := errors.Join(r.readInboxes(t.Context(), nil), writer.Close()); err != nil {
			t.Fatal(err)
		}
		if len(archive.asked) != want {
			t.Errorf("%d planned: %d were read, want %d", planned, len(archive.asked), want)
		}
	}
}

// TestAWrongSecretIsToldAtOnce: a product that knows the secret and does not take it for a while is asked again.
func TestAWrongSecretIsToldAtOnce(t *testing.T) {
	answers := []int{http.StatusUnauthorized, http.StatusOK, http.StatusUnauthorized, http.StatusOK}
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(answers[asked])
		asked++
	}))
	defer server.Close()
	target := NewDozaar([]string{server.URL}, []byte("secret"))
	create := func() error { return target.Create(t.Context(), uuid.New(), nil) }
	if err := create(); !errors.Is(err, client.ErrUnauthorized) || asked != 1 {
		t.Errorf("%v, asked %d times", err, asked)
	}
	if err := errors.Join(create(), create()); err != nil || asked != 4 {
		t.Errorf("%v, asked %d times", err, asked)
	}
}
