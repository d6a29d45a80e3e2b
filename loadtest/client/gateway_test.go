package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"github.com/dozaar/dozaar/loadtest/history"
)

// gateway is a server for one device, which a test plays by hand.
type gateway struct {
	t       *testing.T
	server  *httptest.Server
	ping    time.Duration
	arrived chan *session // a device has come into the namespace
	pages   []Stored      // the history

	mu     sync.Mutex // guards events
	events []history.Event
}

// session is one connection of the device.
type session struct {
	t      *testing.T
	ws     *websocket.Conn
	asked  chan request
	closed chan struct{}
}

// request is an event that the device sent.
type request struct {
	event   string
	payload map[string]any
	ack     string
}

func newGateway(t *testing.T) *gateway {
	g := &gateway{t: t, ping: time.Minute, arrived: make(chan *session, 10)}
	mux := http.NewServeMux()
	mux.HandleFunc("/socket.io/", g.connect)
	mux.HandleFunc("/v1/conversations/{id}/messages", g.page)
	g.server = httptest.NewServer(mux)
	t.Cleanup(g.server.Close)
	return g
}

func (g *gateway) connect(w http.ResponseWriter, r *http.Request) {
	ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
	if err != nil {
		g.t.Error(err)
		return
	}
	s := &session{t: g.t, ws: ws, asked: make(chan request, 100), closed: make(chan struct{})}
	s.write(fmt.Sprintf(`0{"sid":"x","upgrades":[],"pingInterval":%d,"pingTimeout":%d,"maxPayload":1000000}`, g.ping.Milliseconds(), g.ping.Milliseconds()))
	if _, m, err := ws.ReadMessage(); err != nil || string(m) != `40/chat,{"token":"a token"}` {
		g.t.Errorf("%q, %v", m, err)
	}
	s.write(`40/chat,{"sid":"y"}`)
	g.arrived <- s
	defer close(s.closed)
	for {
		_, m, err := ws.ReadMessage()
		if err != nil {
			return
		}
		text := string(m)
		body, isEvent := strings.CutPrefix(text, "42/chat,")
		if !isEvent {
			s.asked <- request{event: text}
			continue
		}
		i := strings.IndexByte(body, '[')
		var args []any
		if err := json.Unmarshal([]byte(body[i:]), &args); err != nil {
			g.t.Error(err)
			return
		}
		s.asked <- request{args[0].(string), args[1].(map[string]any), body[:i]}
	}
}

func (g *gateway) page(w http.ResponseWriter, r *http.Request) {
	var after int64
	_, _ = fmt.Sscan(r.URL.Query().Get("afterSeq"), &after)
	page := Page{Messages: []Stored{}}
	for _, m := range g.pages {
		if m.Seq > after && len(page.Messages) < pageSize {
			page.Messages = append(page.Messages, m)
		}
	}
	_ = json.NewEncoder(w).Encode(page)
}

func (s *session) write(text string) {
	if err := s.ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		s.t.Error(err)
	}
}

func (s *session) emit(event string, payload any) {
	b, _ := json.Marshal([]any{event, payload})
	s.write("42/chat," + string(b))
}

func (s *session) answer(r request, payload any) {
	b, _ := json.Marshal([]any{payload})
	s.write("43/chat," + r.ack + string(b))
}

// want waits for the device to send an event.
func (s *session) want(event string) request {
	s.t.Helper()
	select {
	case r := <-s.asked:
		if r.event != event {
			s.t.Fatalf("%q came where %q was due: %v", r.event, event, r.payload)
		}
		return r
	case <-time.After(10 * time.Second):
		s.t.Fatalf("%s did not come", event)
	}
	return request{}
}

func (g *gateway) next() *session {
	g.t.Helper()
	select {
	case s := <-g.arrived:
		return s
	case <-time.After(10 * time.Second):
		g.t.Fatal("the device did not connect")
	}
	return nil
}

var (
	room1 = uuid.MustParse("00000000-0000-4000-8000-00000000000c")
	bea   = uuid.MustParse("00000000-0000-4000-8000-0000000000be")
	sam   = uuid.MustParse("00000000-0000-4000-8000-0000000000a5")
)

// device runs a device at the gateway until the test ends.
func (g *gateway) device() *Device {
	d := New(Config{
		Name: "bea.1", User: bea, Gateways: []string{g.server.URL}, Token: func() string { return "a token" }, HTTP: g.server.Client(), Stats: &Stats{},
		Record: func(e history.Event) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.events = append(g.events, e)
		},
	})
	ctx := g.t.Context()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = d.Run(ctx)
	}()
	g.t.Cleanup(func() { <-done })
	return d
}

// join answers a join as the server does.
func (s *session) join(wantAfter any, last, missed int64, recovered bool) {
	s.t.Helper()
	r := s.want("join:conversation")
	if fmt.Sprint(r.payload["afterSeq"]) != fmt.Sprint(wantAfter) {
		s.t.Fatalf("it joins after %v, and %v was due", r.payload["afterSeq"], wantAfter)
	}
	s.emit("joined:conversation", joined{ConversationID: room1, LastSeq: last, Missed: missed, Recovered: recovered})
	s.answer(r, map[string]any{"ok": true})
}

func message(seq int64) Stored {
	return Stored{ID: uuid.NewSHA1(room1, fmt.Append(nil, seq)), ConversationID: room1, Seq: seq, SenderID: sam, Message: fmt.Sprint("message ", seq)}
}

// recorded is the kinds of what was written down, with numbers where there are any.
func (g *gateway) recorded() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var words []string
	for _, e := range g.events {
		word := e.Kind.String()
		if e.Seq > 0 {
			word += fmt.Sprint(e.Seq)
		}
		if e.Kind == history.Answer || e.Kind == history.Marked {
			text, _ := e.Outcome.MarshalText()
			word += ":" + string(text)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func (g *gateway) wantRecorded(want string) {
	g.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); g.recorded() != want; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			g.t.Fatalf("recorded\n%s, due was\n%s", g.recorded(), want)
		}
	}
}

func TestComesBackWithItsCursorAndTriesAgain(t *testing.T) {
	g := newGateway(t)
	d := g.device()
	d.Join(room1)
	id := uuid.New()
	d.Send(Message{Conversation: room1, Client: id, Text: "hello"})
	d.Send(Message{Conversation: room1, Text: "nameless"})
	s := g.next()
	s.join(0, 0, 0, true)
	first := s.want("send:message")
	s.want("send:message")
	s.emit("new:message", message(1))
	s.emit("new:message", message(2))
	g.wantRecorded("connected joined send send shown1 shown2")
	_ = s.ws.NetConn().Close() // and no answer
	s = g.next()
	s.join(2, 3, 1, true)
	s.emit("new:message", message(3))
	again := s.want("send:message")
	if again.payload["clientMessageId"] != first.payload["clientMessageId"] || again.payload["message"] != "hello" {
		t.Errorf("first %v, then %v", first.payload, again.payload)
	}
	s.answer(again, map[string]any{"ok": true, "messageId": message(9).ID})
	wantRest(t, d)
	g.mu.Lock()
	defer g.mu.Unlock()
	unknown := slices.IndexFunc(g.events, func(e history.Event) bool { return e.Kind == history.Answer && e.Client == id })
	known := slices.IndexFunc(g.events, func(e history.Event) bool { return e.Kind == history.Answer && e.Outcome == history.OK })
	if unknown < 0 || g.events[unknown].Outcome != history.Unknown || known < 0 || g.events[known].Message != message(9).ID {
		t.Errorf("%v", g.events)
	}
}

func wantRest(t *testing.T, d *Device) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); d.Busy() != ""; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(d.Busy())
		}
	}
}

// A gateway dies between the word that the device has joined and the acknowledgement: nobody waits for that any more.
func TestAJoinThatDiedIsNotWaitedFor(t *testing.T) {
	g := newGateway(t)
	d := g.device()
	d.Join(room1)
	s := g.next()
	s.want("join:conversation")
	s.emit("joined:conversation", joined{ConversationID: room1, Recovered: true})
	g.wantRecorded("connected joined")
	_ = s.ws.NetConn().Close()
	s = g.next()
	s.join(0, 0, 0, true)
	wantRest(t, d)
	g.wantRecorded("connected joined disconnected connected joined")
}

func TestPagesWhatIsNotReplayed(t *testing.T) {
	g := newGateway(t)
	for seq := int64(1); seq <= 253; seq++ {
		g.pages = append(g.pages, message(seq))
	}
	d := g.device()
	d.Join(room1)
	s := g.next()
	r := s.want("join:conversation")
	s.emit("joined:conversation", joined{ConversationID: room1, LastSeq: 251, Missed: 251})
	s.emit("new:message", message(252)) // live, before anything is paged
	s.emit("new:message", message(253))
	s.answer(r, map[string]any{"ok": true})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if cursor, _, in := d.Place(room1); in && cursor == 253 && d.Busy() == "" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(d.Busy())
		}
	}
	s.emit("new:message", message(254))
	for deadline := time.Now().Add(10 * time.Second); d.Stats.Shown.Load() < 3; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the next is not shown")
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	paged := int64(0)
	for _, e := range g.events {
		if e.Kind == history.Paged {
			if paged++; e.Seq != paged {
				t.Errorf("number %d is paged as number %d", e.Seq, paged)
			}
		}
	}
	if cursor, _, _ := d.Place(room1); paged != 251 || cursor != 254 {
		t.Errorf("%d paged, at %d", paged, cursor)
	}
}

func TestAnswersThatAreNoEnd(t *testing.T) {
	g := newGateway(t)
	d := g.device()
	d.Join(room1)
	s := g.next()
	s.join(0, 0, 0, true)
	d.Send(Message{Conversation: room1, Client: uuid.New(), Text: "hello"})
	for _, code := range []string{"unavailable", "rate_limited", "internal"} {
		s.answer(s.want("send:message"), map[string]any{"ok": false, "code": code})
	}
	s.answer(s.want("send:message"), map[string]any{"ok": false, "code": "not_joined"})
	s.join(0, 0, 0, true)
	s.answer(s.want("send:message"), map[string]any{"ok": false, "code": "invalid"})
	for deadline := time.Now().Add(10 * time.Second); d.Busy() != ""; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(d.Busy())
		}
	}
	d.Mark(room1, message(1).ID, 1)
	s.answer(s.want("mark:read"), map[string]any{"ok": false, "code": "unavailable"})
	s.answer(s.want("mark:read"), map[string]any{"ok": true})
	g.wantRecorded("connected joined send answer:unknown send answer:refused send answer:unknown send answer:refused left joined send answer:refused " +
		"mark1 marked1:unknown mark1 marked1:ok")
}

func TestPutOutAndLetInAgain(t *testing.T) {
	g := newGateway(t)
	d := g.device()
	d.Join(room1)
	s := g.next()
	s.join(0, 0, 0, true)
	s.emit("exception", map[string]any{"event": "join:conversation", "code": "not_found", "conversationId": room1})
	g.wantRecorded("connected joined left")
	d.Join(room1)
	r := s.want("join:conversation")
	s.emit("joined:conversation", joined{ConversationID: room1, Recovered: true})
	s.answer(r, map[string]any{"ok": false, "code": "unavailable"}) // the replay failed
	s.join(0, 0, 0, true)
	d.Leave(room1, true)
	s.answer(s.want("leave:conversation"), map[string]any{"ok": true})
	d.Join(room1)
	s.join(nil, 7, 0, true)
	s.emit("exception", map[string]any{"event": "send:message", "code": "conflict", "conversationId": room1, "clientMessageId": bea})
	s.emit("message:notification", map[string]any{"conversationId": room1, "messageId": bea, "seq": 8, "sender": map[string]any{"id": sam}})
	s.emit("message:read", map[string]any{"conversationId": room1, "messageId": bea, "seq": 8, "readBy": sam})
	g.wantRecorded("connected joined left joined left joined left joined conflict notified8 seen8")
}

// TestReplayThatFailsLate: the store hangs, so the answer to a join comes when nobody waits for it any more. It counts all the same.
func TestReplayThatFailsLate(t *testing.T) {
	g := newGateway(t)
	d := g.device()
	d.Join(room1)
	s := g.next()
	r := s.want("join:conversation")
	s.emit("joined:conversation", joined{ConversationID: room1, LastSeq: 7, Missed: 7, Recovered: true})
	g.wantRecorded("connected joined")
	d.mu.Lock()
	for _, a := range d.acks {
		a.until = time.Now()
	}
	d.poke()
	d.mu.Unlock()
	for deadline := time.Now().Add(10 * time.Second); d.Stats.Unanswered.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it is waited for")
		}
	}
	s.answer(r, map[string]any{"ok": false, "code": "unavailable"})
	s.join(0, 7, 7, true)
	g.wantRecorded("connected joined left joined")
}

// TestPings: each is answered, and a server from which none comes is left.
func TestPings(t *testing.T) {
	g := newGateway(t)
	g.ping = 300 * time.Millisecond
	g.device()
	s := g.next()
	s.write("2")
	s.want("3")
	if err := s.ws.WriteControl(websocket.PingMessage, []byte("x"), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.closed:
	case <-time.After(10 * time.Second):
		t.Fatal("the device stays though no ping comes")
	}
	g.next()
	g.mu.Lock()
	defer g.mu.Unlock()
	if e := g.events[1]; e.Kind != history.Disconnected || e.Note != "ping timeout" {
		t.Errorf("%v", g.events)
	}
}

func TestFragmentsAndSentAway(t *testing.T) {
	g := newGateway(t)
	d := g.device()
	d.Join(room1)
	s := g.next()
	s.join(0, 0, 0, true)
	m := message(1)
	m.Message = strings.Repeat("x", 200_000)
	b, _ := json.Marshal([]any{"new:message", m})
	w, err := s.ws.NextWriter(websocket.TextMessage) // which fragments what is larger than its buffer
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write([]byte("42/chat,"))
	for len(b) > 0 {
		n := min(1000, len(b))
		_, _ = w.Write(b[:n])
		b = b[n:]
	}
	_ = w.Close()
	g.wantRecorded("connected joined shown1")
	s.write("41/chat,")
	g.next().join(1, 1, 0, true)
	g.wantRecorded("connected joined shown1 disconnected connected joined")
}

// TestNobodyListens: a gateway that is gone costs no waiting, for what stands in front of gateways passes it over.
func TestNobodyListens(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	g := newGateway(t)
	d := New(Config{Gateways: []string{gone.URL, g.server.URL}, Token: func() string { return "a token" }})
	s, gateway, err := d.dial(t.Context())
	if err != nil || gateway != g.server.URL {
		t.Fatalf("%s, %v", gateway, err)
	}
	_ = s.conn.Close()
}
