package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func one(h Handler) map[string]Handler { return map[string]Handler{"/chat": h} }

// join opens a socket in /chat.
func join(t *testing.T, p peer) {
	t.Helper()
	p.send("40/chat,")
	expect(t, p, `40/chat,{"sid":"`)
}

func TestEcho(t *testing.T) {
	overBoth(t, func(t *testing.T, open func(*rig) peer) {
		r := newRig(t, Config{}, map[string]Handler{"/chat": echoed(), "/": echoed()})
		p := open(r)
		join(t, p)
		p.send(`42/chat,["hi",{"z":1,"a":"<é>"},2]`)
		if got := expect(t, p, "4"); got != `42/chat,["hi",{"z":1,"a":"<é>"},2]` {
			t.Errorf("echo: %s", got)
		}
		p.send(`42/chat,7["hi",[]]`)
		if got := expect(t, p, "4"); got != `43/chat,7[[]]` {
			t.Errorf("ack: %s", got)
		}
		p.send("40")
		expect(t, p, `40{"sid":"`)
		p.send(`42["x"]`)
		expect(t, p, `42["x"]`)
		p.send("40/nowhere,")
		if got := expect(t, p, "44"); got != `44/nowhere,{"message":"Invalid namespace"}` {
			t.Errorf("unknown namespace: %s", got)
		}
		p.close()
	})
}

func TestAuthenticate(t *testing.T) {
	overBoth(t, func(t *testing.T, open func(*rig) peer) {
		seen := make(chan Handshake, 4)
		users := make(chan any, 4)
		h := &script{
			authenticate: func(_ context.Context, hs Handshake) (any, error) {
				seen <- hs
				switch string(hs.Auth) {
				case `{"token":"good"}`:
					return "alice", nil
				case `{"token":"old"}`:
					return nil, &Refusal{Message: "expired", Data: map[string]string{"code": "token_expired"}}
				}
				return nil, errors.New("secret detail")
			},
			connected: func(_ context.Context, s *Socket) { users <- s.User() },
		}
		r := newRig(t, Config{}, one(h))
		p := open(r)
		for auth, answer := range map[string]string{
			`{"token":"old"}`: `44/chat,{"message":"expired","data":{"code":"token_expired"}}`,
			``:                `44/chat,{"message":"not authorized"}`,
		} {
			p.send("40/chat," + auth)
			got := expect(t, p, "44/chat,")
			if !sameJSON(got[8:], answer[8:]) {
				t.Errorf("auth %s: %s, want %s", auth, got, answer)
			}
			hs := receive(t, "handshake", seen)
			if string(hs.Auth) != auth || hs.Query.Get("EIO") != "4" || hs.RemoteAddr == "" || hs.Header == nil {
				t.Errorf("handshake: %+v", hs)
			}
		}
		p.send(`40/chat,{"token":"good"}`)
		expect(t, p, "40/chat,{")
		if user := receive(t, "user", users); user != "alice" {
			t.Errorf("user: %v", user)
		}
		p.close()
		if got := r.metric(r.server.metrics.refusals.WithLabelValues("connect")); got != 2 {
			t.Errorf("refusals counted: %v", got)
		}
	})
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// TestHeader requires a namespace joined later to see the headers of the handshake too.
func TestHeader(t *testing.T) {
	h := &script{authenticate: func(_ context.Context, hs Handshake) (any, error) {
		if hs.Header.Get("Authorization") != "Bearer x" {
			return nil, errors.New("no header")
		}
		return nil, nil
	}}
	r := newRig(t, Config{}, map[string]Handler{"/chat": h, "/": h})
	conn, _, err := r.dial("transport=websocket", http.Header{"Authorization": {"Bearer x"}})
	if err != nil {
		t.Fatal(err)
	}
	p := &wsPeer{t: t, conn: conn}
	defer p.close()
	expect(t, p, "0")
	p.send("40/chat,", "40")
	expect(t, p, "40/chat,{")
	expect(t, p, "40{")
}

// TestKick requires DISCONNECT, behind all that was sent before, and then the end of the connection.
func TestKick(t *testing.T) {
	overBoth(t, func(t *testing.T, open func(*rig) peer) {
		reasons := make(chan string, 2)
		var ended atomic.Bool
		h := &script{
			event: func(ctx context.Context, s *Socket, _ Event) {
				for range 50 {
					_ = s.Emit("x")
				}
				s.Close("rude")
				s.Close("again")
				if ctx.Err() == nil {
					t.Error("ctx outlives the socket")
				}
				if err := s.Emit("x"); !errors.Is(err, ErrClosed) {
					t.Errorf("Emit after Close: %v", err)
				}
				time.Sleep(10 * time.Millisecond)
				ended.Store(true)
			},
			disconnected: func(_ *Socket, reason string) {
				if !ended.Load() {
					t.Error("Disconnected before Event returned")
				}
				reasons <- reason
			},
		}
		r := newRig(t, Config{DrainTimeout: patience}, one(h))
		p := open(r)
		join(t, p)
		p.send(`42/chat,["go"]`, `42/chat,["not handled any more"]`)
		for range 50 {
			expect(t, p, `42/chat,["x"]`)
		}
		if got := expect(t, p, "4"); got != "41/chat," {
			t.Errorf("got %s, want DISCONNECT", got)
		}
		if code := expectEnd(t, p); code != 0 && code != websocket.CloseNormalClosure {
			t.Errorf("close code %d", code)
		}
		p.close()
		if got := receive(t, "Disconnected", reasons); got != "rude" {
			t.Errorf("reason %q", got)
		}
		eventually(t, "the session is forgotten", func() bool { return r.server.Stats().Connections() == 0 })
		if len(reasons) != 0 {
			t.Errorf("Disconnected again: %s", <-reasons)
		}
		if got := r.metric(r.server.metrics.closes.vec.WithLabelValues("rude")); got != 1 {
			t.Errorf("counted %v", got)
		}
	})
}

// TestKickFromOneOfTwo leaves the other namespace's socket alone.
func TestKickFromOneOfTwo(t *testing.T) {
	reasons := make(chan string, 2)
	h := &script{
		event:        func(_ context.Context, s *Socket, _ Event) { s.Close("rude") },
		disconnected: func(_ *Socket, reason string) { reasons <- reason },
	}
	r := newRig(t, Config{}, map[string]Handler{"/chat": h, "/": echoed()})
	p := r.websocket()
	defer p.close()
	p.send("40", "40/chat,")
	expect(t, p, "40{")
	expect(t, p, "40/chat,{")
	p.send(`42/chat,["go"]`, `42/chat,["late"]`, `42["hi"]`)
	if got := expect(t, p, ""); got != "41/chat," {
		t.Errorf("got %s", got)
	}
	expect(t, p, `42["hi"]`)
	if got := receive(t, "Disconnected", reasons); got != "rude" {
		t.Errorf("reason %q", got)
	}
	p.send("40/chat,") // and may come back
	expect(t, p, "40/chat,{")
}

func TestClientLeaves(t *testing.T) {
	overBoth(t, func(t *testing.T, open func(*rig) peer) {
		reasons := make(chan string, 4)
		h := &script{disconnected: func(_ *Socket, reason string) { reasons <- reason }}
		r := newRig(t, Config{ConnectTimeout: 100 * time.Millisecond}, one(h))
		p := open(r)
		for range 3 {
			join(t, p)
			p.send("41/chat,")
			if got := receive(t, "Disconnected", reasons); got != ReasonClientDisconnect {
				t.Errorf("reason %q", got)
			}
		}
		expectEnd(t, p) // for a connection in no namespace has a deadline again
		p.close()
	})
}

func TestConnectTimeout(t *testing.T) {
	overBoth(t, func(t *testing.T, open func(*rig) peer) {
		h := &script{authenticate: func(context.Context, Handshake) (any, error) { return nil, errors.New("no") }}
		r := newRig(t, Config{ConnectTimeout: 50 * time.Millisecond}, one(h))
		p, refused := open(r), open(r)
		refused.send("40/chat,")
		expect(t, refused, "44")
		expectEnd(t, p)
		expectEnd(t, refused)
		if got := r.metric(r.server.metrics.closes.vec.WithLabelValues(ReasonConnectTimeout)); got != 2 {
			t.Errorf("counted %v", got)
		}
	})
}

// TestTransportEnds tells the handler once, and ends its context, when a connection breaks or closes.
func TestTransportEnds(t *testing.T) {
	for name, end := range map[string]struct {
		do   func(*wsPeer)
		want string
	}{
		"cut": {func(p *wsPeer) { _ = p.conn.NetConn().Close() }, ReasonTransportError},
		"close frame": {func(p *wsPeer) {
			_ = p.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(time.Second))
		}, ReasonTransportClose},
		"close packet": {func(p *wsPeer) { p.send("1") }, ReasonTransportClose},
	} {
		t.Run(name, func(t *testing.T) {
			reasons := make(chan string, 2)
			contexts := make(chan context.Context, 1)
			h := &script{
				connected:    func(ctx context.Context, _ *Socket) { contexts <- ctx },
				disconnected: func(_ *Socket, reason string) { reasons <- reason },
			}
			r := newRig(t, Config{}, one(h))
			p := r.websocket()
			join(t, p)
			end.do(p)
			if got := receive(t, "Disconnected", reasons); got != end.want {
				t.Errorf("reason %q, want %q", got, end.want)
			}
			if ctx := receive(t, "context", contexts); ctx.Err() == nil {
				t.Error("ctx outlives the socket")
			}
			p.close()
		})
	}
}

func TestPanic(t *testing.T) {
	overBoth(t, func(t *testing.T, open func(*rig) peer) {
		var log logLines
		reasons := make(chan string, 4)
		h := echoed()
		h.authenticate = func(_ context.Context, hs Handshake) (any, error) {
			if string(hs.Auth) == `{"panic":1}` {
				panic("in Authenticate")
			}
			return string(hs.Auth), nil
		}
		h.connected = func(_ context.Context, s *Socket) {
			if s.User() == `{"panic":2}` {
				panic("in Connected")
			}
		}
		echo := h.event
		h.event = func(ctx context.Context, s *Socket, e Event) {
			if e.Name == "panic" {
				panic("in Event")
			}
			echo(ctx, s, e)
		}
		h.disconnected = func(_ *Socket, reason string) {
			reasons <- reason
			panic("in Disconnected")
		}
		r := newRig(t, Config{Logger: log.logger()}, one(h))
		other := open(r)
		join(t, other)

		p := open(r)
		p.send(`40/chat,{"panic":1}`)
		expect(t, p, `44/chat,{"message":"internal error"}`)
		p.send(`40/chat,{"panic":2}`)
		expect(t, p, "40/chat,{")
		expect(t, p, "41/chat,")
		expectEnd(t, p)
		if got := receive(t, "Disconnected", reasons); got != ReasonPanic {
			t.Errorf("reason %q", got)
		}
		p = open(r)
		join(t, p)
		p.send(`42/chat,["panic"]`)
		expect(t, p, "41/chat,")
		expectEnd(t, p)
		if got := receive(t, "Disconnected", reasons); got != ReasonPanic {
			t.Errorf("reason %q", got)
		}
		other.send(`42/chat,["alive"]`)
		expect(t, other, `42/chat,["alive"]`)
		other.close()
		receive(t, "Disconnected", reasons)
		eventually(t, "six panics counted", func() bool { return r.metric(r.server.metrics.panics) == 6 })
		if text := log.String(); !strings.Contains(text, "socket_test.go") || !strings.Contains(text, "in Event") {
			t.Errorf("no stack in the log:\n%s", text)
		}
	})
}

// TestGoexit ends the goroutine of every call of a handler: the connection ends, and the server has all its locks back.
func TestGoexit(t *testing.T) {
	overBoth(t, func(t *testing.T, open func(*rig) peer) {
		reasons := make(chan string, 2)
		exit := func(in string, s *Socket) {
			if s != nil && s.User() == in {
				runtime.Goexit()
			}
		}
		h := echoed()
		echo := h.event
		h.authenticate = func(_ context.Context, hs Handshake) (any, error) {
			var in string
			_ = json.Unmarshal(hs.Auth, &struct{ In *string }{&in})
			if in == "Authenticate" {
				runtime.Goexit()
			}
			return in, nil
		}
		h.connected = func(_ context.Context, s *Socket) { exit("Connected", s) }
		h.event = func(ctx context.Context, s *Socket, e Event) {
			exit("Event", s)
			echo(ctx, s, e)
		}
		h.disconnected = func(s *Socket, reason string) {
			reasons <- reason
			exit("Disconnected", s)
		}
		r := newRig(t, Config{}, map[string]Handler{"/chat": h, "/other": h})
		witness := open(r)
		join(t, witness)
		exits := 0.0
		for _, c := range []struct {
			in, send string
			reasons  []string
		}{
			{"Authenticate", "", nil},
			{"Connected", "", []string{ReasonPanic, ReasonPanic}},
			{"Event", `42/chat,["x"]`, []string{ReasonPanic, ReasonPanic}},
			{"Disconnected", "41/chat,", []string{ReasonClientDisconnect, ReasonPanic}},
		} {
			p := open(r)
			if c.in != "Authenticate" {
				p.send(`40/other,{"in":"Disconnected"}`) // a socket of the same connection: it hears of the end as well
				expect(t, p, "40/other,{")
				exits++
			}
			p.send(`40/chat,{"in":"` + c.in + `"}`)
			if c.send != "" {
				expect(t, p, "40/chat,{")
				p.send(c.send)
			}
			for _, want := range c.reasons {
				if got := receive(t, "Disconnected", reasons); got != want {
					t.Errorf("%s: reason %q, want %q", c.in, got, want)
				}
			}
			exits++
			eventually(t, c.in+" counted", func() bool { return r.metric(r.server.metrics.panics) == exits })
			eventually(t, "the connection gone", func() bool { return r.server.Stats().Connections() == 1 })
			p.close()
		}
		witness.send(`42/chat,["alive"]`)
		expect(t, witness, `42/chat,["alive"]`)
		witness.close()
		receive(t, "Disconnected", reasons)
	})
}

// TestBackPressure requires a handler that blocks to stop its own client, and nobody else.
func TestBackPressure(t *testing.T) {
	overBoth(t, func(t *testing.T, open func(*rig) peer) {
		release := make(chan struct{})
		var handled atomic.Int64
		h := &script{event: func(_ context.Context, s *Socket, e Event) {
			if e.Name == "block" {
				<-release
			}
			handled.Add(1)
			_ = s.Emit(e.Name)
		}}
		r := newRig(t, Config{}, one(h))
		blocked, free := open(r), open(r)
		join(t, blocked)
		join(t, free)
		go blocked.send(`42/chat,["block"]`, `42/chat,["behind"]`)
		for range 10 {
			free.send(`42/chat,["go"]`)
			expect(t, free, `42/chat,["go"]`)
		}
		if handled.Load() != 10 {
			t.Errorf("%d events were handled, one of them behind a blocked one", handled.Load())
		}
		close(release)
		expect(t, blocked, `42/chat,["block"]`)
		expect(t, blocked, `42/chat,["behind"]`)
		blocked.close()
		free.close()
	})
}

// TestBusyIsAlive keeps a client whose pong waits behind an event that takes longer than the timeout.
func TestBusyIsAlive(t *testing.T) {
	h := &script{event: func(_ context.Context, s *Socket, _ Event) {
		time.Sleep(300 * time.Millisecond)
		_ = s.Emit("done")
	}}
	r := newRig(t, Config{PingInterval: 50 * time.Millisecond, PingTimeout: 100 * time.Millisecond}, one(h))
	p := r.websocket()
	defer p.close()
	join(t, p)
	p.send(`42/chat,["work"]`)
	expect(t, p, `42/chat,["done"]`)
	p.send(`42/chat,["work"]`)
	expect(t, p, `42/chat,["done"]`)
}

func TestEvent(t *testing.T) {
	type seen struct {
		Event
		wants bool
	}
	events := make(chan seen, 1)
	h := &script{event: func(_ context.Context, _ *Socket, e Event) {
		e.Ack(1, map[string]string{"a": "<b>"}, json.RawMessage(`{"z":1,"a":2}`))
		e.Ack("a second time")
		e.Ack(func() {}) // cannot be encoded, and is not tried
		events <- seen{e, e.WantsAck()}
	}}
	r := newRig(t, Config{MaxAttachments: 2}, one(h))
	p := r.websocket()
	defer p.close()
	join(t, p)

	if _, ok := (Event{Args: []json.RawMessage{[]byte(`{"_placeholder":true,"num":0}`)}}).Binary(0); ok {
		t.Error("a placeholder of an event without attachments was taken for one")
	}
	p.send("42/chat,12[ \"na\\u006de\" , {\"z\": 1, \"a\": [2]} , null ]")
	e := receive(t, "event", events)
	if e.Name != "name" || !e.wants || len(e.Args) != 2 || string(e.Args[0]) != `{"z": 1, "a": [2]}` || string(e.Args[1]) != "null" {
		t.Errorf("%+v", e)
	}
	if got := expect(t, p, "4"); got != `43/chat,12[1,{"a":"<b>"},{"z":1,"a":2}]` {
		t.Errorf("ack: %s", got)
	}

	p.send(`452-/chat,["bin",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]`)
	for _, part := range []string{"one", "two"} {
		if err := p.conn.WriteMessage(websocket.BinaryMessage, []byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	e = receive(t, "event", events)
	if part, ok := e.Binary(1); !ok || string(part) != "one" {
		t.Errorf("attachment %q, %v", part, ok)
	}
	if part, ok := e.Binary(2); ok {
		t.Errorf("an attachment that is none: %q", part)
	}
	if e.Name != "bin" || e.wants || len(e.Args) != 2 || len(e.Attachments) != 2 || string(e.Attachments[1]) != "two" {
		t.Errorf("%+v", e)
	}
	if got := r.metric(r.server.metrics.events); got != 2 {
		t.Errorf("events counted: %v", got)
	}
}

func TestEmit(t *testing.T) {
	overBoth(t, func(t *testing.T, open func(*rig) peer) {
		var log logLines
		sockets := make(chan *Socket, 1)
		h := &script{connected: func(_ context.Context, s *Socket) { sockets <- s }}
		r := newRig(t, Config{Logger: log.logger()}, one(h))
		p := open(r)
		join(t, p)
		s := receive(t, "socket", sockets)
		if err := s.Emit("ordered", struct {
			Z int    `json:"z"`
			A string `json:"a"`
		}{1, "<"}); err != nil {
			t.Fatal(err)
		}
		if got := expect(t, p, "4"); got != `42/chat,["ordered",{"z":1,"a":"<"}]` {
			t.Errorf("got %s", got)
		}
		if err := s.Emit("bad", func() {}); err == nil {
			t.Error("a func was encoded")
		}
		if err := s.Emit("disconnect"); err == nil {
			t.Error("a reserved name was emitted")
		}
		other, err := Encode("/", "x")
		if err != nil {
			t.Fatal(err)
		}
		s.Send(other)
		if !strings.Contains(log.String(), "another namespace") {
			t.Error("a packet for another namespace was not logged")
		}
		binary, err := Encode("/chat", "x", Binary("one"), 2, Binary("\xff\x00"))
		if err != nil {
			t.Fatal(err)
		}
		s.Send(binary)
		if got := expect(t, p, "4"); got != `452-/chat,["x",{"_placeholder":true,"num":0},2,{"_placeholder":true,"num":1}]` {
			t.Errorf("got %s", got)
		}
		parts := []string{"b" + "one", "b\xff\x00"}
		if s.Transport() == transportPolling {
			parts = []string{"bb25l", "b/wA="}
		}
		expect(t, p, parts[0])
		expect(t, p, parts[1])
		p.close()
	})
}

// TestFrameLengths covers the three forms of a frame's length, and what a packet weighs.
func TestFrameLengths(t *testing.T) {
	overBoth(t, func(t *testing.T, open func(*rig) peer) {
		sockets := make(chan *Socket, 1)
		h := &script{connected: func(_ context.Context, s *Socket) { sockets <- s }}
		r := newRig(t, Config{}, one(h))
		p := open(r)
		join(t, p)
		s := receive(t, "socket", sockets)
		head := len(`42/chat,["x",""]`)
		for _, n := range []int{head, 125, 126, 127, 65535, 65536, 70000} {
			text := strings.Repeat("y", n-head)
			packet, err := Encode("/chat", "x", text)
			if err != nil {
				t.Fatal(err)
			}
			s.Send(packet)
			if got := expect(t, p, "4"); got != `42/chat,["x","`+text+`"]` {
				t.Errorf("%d bytes came of %d", len(got), n)
			}
			if size := packet.Size(); size < n+2 || size > n+10 {
				t.Errorf("a packet of %d bytes weighs %d", n, size)
			}
		}
		p.close()
	})
}

func TestNamespaceMistakes(t *testing.T) {
	for name, f := range map[string]func(*Server){
		"no slash": func(s *Server) { s.Namespace("chat", &script{}) },
		"comma":    func(s *Server) { s.Namespace("/a,b", &script{}) },
		"twice":    func(s *Server) { s.Namespace("/chat", &script{}) },
	} {
		r := newRig(t, Config{}, one(&script{}))
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f(r.server)
		}()
	}
}
