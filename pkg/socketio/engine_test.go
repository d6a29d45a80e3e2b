package socketio

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// echoLayer sends every message back as it came. It stands for Socket.IO where the transport alone is tested.
type echoLayer struct{ s *session }

func (e echoLayer) message(data []byte, binary bool) string {
	if binary {
		e.s.send(framed(opBinary, data))
	} else {
		e.s.send(textFrame(engineMessage, data))
	}
	return ""
}

func (echoLayer) begin()       {}
func (echoLayer) cut()         {}
func (echoLayer) ended(string) {}

func newEngineRig(t *testing.T, cfg Config) *rig {
	r := newRig(t, cfg, nil)
	r.server.newLayer = func(s *session) layer { s.known.Store(true); return echoLayer{s} }
	return r
}

func TestHandshake(t *testing.T) {
	r := newEngineRig(t, Config{PingInterval: 3 * time.Second, PingTimeout: 2 * time.Second, MaxPayload: 1e6})
	_, polled := r.request(http.MethodGet, "transport=polling", "")
	conn, _, err := r.dial("transport=websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, pushed, err := conn.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	for open, upgrades := range map[string][]any{polled: {"websocket"}, string(pushed): {}} {
		var got map[string]any
		if err := json.Unmarshal([]byte(open[1:]), &got); err != nil || open[0] != '0' {
			t.Fatalf("OPEN %q: %v", open, err)
		}
		if sid, _ := got["sid"].(string); len(sid) < 20 {
			t.Errorf("sid %q can be guessed", sid)
		}
		delete(got, "sid")
		want := map[string]any{"upgrades": upgrades, "pingInterval": 3000.0, "pingTimeout": 2000.0, "maxPayload": 1e6}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("OPEN %v, want %v", got, want)
		}
	}
	if got := r.server.Stats(); got != (Stats{Polling: 1, WebSocket: 1}) || got.Connections() != 2 {
		t.Errorf("Stats: %+v", got)
	}
}

func TestRefusedRequests(t *testing.T) {
	r := newEngineRig(t, Config{})
	sid := r.polling().sid
	ws := r.websocket()
	defer ws.close()
	for _, c := range []struct {
		name, method, query string
		code                int
	}{
		{"no transport", "GET", "", 0},
		{"unknown transport", "GET", "transport=abc", 0},
		{"post without session", "POST", "transport=polling", 2},
		{"put without session", "PUT", "transport=polling", 2},
		{"websocket without upgrade", "GET", "transport=websocket", 3},
		{"websocket without upgrade, with session", "GET", "transport=websocket&sid=" + sid, 3},
		{"unknown session", "GET", "transport=polling&sid=abc", 1},
		{"empty session", "GET", "transport=polling&sid=", 1},
		{"prototype", "GET", "transport=polling&sid=__proto__", 1},
		{"long session", "GET", "transport=polling&sid=" + strings.Repeat("a", 8000), 1},
		{"put to a session", "PUT", "transport=polling&sid=" + sid, 3},
		{"poll of a websocket", "GET", "transport=polling&sid=" + ws.sid, 3},
		{"post to a websocket", "POST", "transport=polling&sid=" + ws.sid, 3},
	} {
		status, body := r.request(c.method, c.query, "")
		var got errorCode
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != 400 || got.Code != c.code || got.Message == "" {
			t.Errorf("%s: %d %s (%v), want 400 and code %d", c.name, status, body, err, c.code)
		}
	}
	for name, query := range map[string]string{
		"EIO 3": "EIO=3&transport=polling", "EIO abc": "EIO=abc&transport=polling", "no EIO": "transport=polling",
		"EIO 3 at the upgrade": "EIO=3&transport=websocket&sid=" + sid,
	} {
		res, err := r.client.Get(r.http.URL + "/socket.io/?" + query)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != 400 {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
	for name, query := range map[string]string{
		"unknown session": "transport=websocket&sid=abc", "transport polling": "transport=polling", "none": "",
	} {
		if conn, res, err := r.dial(query, nil); err == nil || res == nil || res.StatusCode != 400 {
			t.Errorf("upgrade with %s: %v %v", name, conn, err)
		}
	}
}

func TestOrigin(t *testing.T) {
	r := newEngineRig(t, Config{AllowOrigin: func(q *http.Request) bool { return q.Header.Get("Origin") == "https://shop.example" }})
	foreign, home := http.Header{"Origin": {"null"}}, http.Header{"Origin": {"https://shop.example"}}
	get := func(query string, h http.Header) (int, http.Header, string) {
		req, err := http.NewRequest(http.MethodGet, r.url("http", query), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = h
		res, err := r.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		var body [512]byte
		n, _ := res.Body.Read(body[:])
		return res.StatusCode, res.Header, string(body[:n])
	}
	if status, _, _ := get("transport=polling", foreign); status != http.StatusForbidden {
		t.Errorf("polling from elsewhere: %d", status)
	}
	status, header, open := get("transport=polling", home)
	if status != http.StatusOK {
		t.Fatalf("polling from home: %d", status)
	}
	for name := range header {
		if strings.HasPrefix(name, "Access-Control") {
			t.Errorf("the layer sets %s", name)
		}
	}
	sid := openSID(t, open)
	if status, _, _ := get("transport=polling&sid="+sid, foreign); status != http.StatusForbidden {
		t.Errorf("poll from elsewhere: %d", status)
	}
	for _, query := range []string{"transport=websocket", "transport=websocket&sid=" + sid} {
		if _, res, err := r.dial(query, foreign); err == nil || res == nil || res.StatusCode != http.StatusForbidden {
			t.Errorf("websocket from elsewhere (%s): %v", query, err)
		}
		conn, _, err := r.dial(query, home)
		if err != nil {
			t.Fatalf("websocket from home (%s): %v", query, err)
		}
		_ = conn.Close()
	}
}

func TestMessages(t *testing.T) {
	overBoth(t, func(t *testing.T, open func(*rig) peer) {
		r := newEngineRig(t, Config{})
		p := open(r)
		p.send("4test1", "4", "4tést3", "6")
		for _, want := range []string{"4test1", "4", "4tést3"} {
			if got := expect(t, p, ""); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		big := "4" + strings.Repeat("x", 200<<10)
		p.send(big)
		if got := expect(t, p, "4x"); got != big {
			t.Errorf("%d bytes came back of %d", len(got), len(big))
		}
		p.close()
	})
}

func TestPollingPayload(t *testing.T) {
	r := newEngineRig(t, Config{})
	p := r.polling()
	if status, body := r.request("POST", p.query(), "4hello\x1ebAQIDBA==\x1e4x"); status != 200 || body != "ok" {
		t.Fatalf("POST: %d %s", status, body)
	}
	if status, body := r.request("GET", p.query(), ""); status != 200 || body != "4hello\x1ebAQIDBA==\x1e4x" {
		t.Fatalf("GET: %d %q", status, body)
	}
}

func TestBinaryFrame(t *testing.T) {
	r := newEngineRig(t, Config{})
	p := r.websocket()
	if err := p.conn.WriteMessage(websocket.BinaryMessage, []byte{1, 2, 3, 4}); err != nil {
		t.Fatal(err)
	}
	expect(t, p, "b\x01\x02\x03\x04")
}

func TestDuplicatePoll(t *testing.T) {
	r := newEngineRig(t, Config{})
	p := r.polling()
	first := make(chan string, 1)
	go func() {
		_, body, _ := r.requestContext(p.ctx, "GET", p.query(), "")
		first <- body
	}()
	s := r.server.session(p.sid)
	eventually(t, "a poll waits", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.poll != nil })
	if status, _ := r.request("GET", p.query(), ""); status != 400 {
		t.Errorf("second poll: %d", status)
	}
	if body := receive(t, "the first poll's answer", first); body != "1" {
		t.Errorf("first poll: %q", body)
	}
	if status, _ := r.request("GET", p.query(), ""); status != 400 {
		t.Errorf("poll after the end: %d", status)
	}
}

func TestCancelledPoll(t *testing.T) {
	r := newEngineRig(t, Config{})
	p := r.polling()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _, _ = r.requestContext(ctx, "GET", p.query(), "")
	}()
	s := r.server.session(p.sid)
	eventually(t, "a poll waits", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.poll != nil })
	cancel()
	<-done
	eventually(t, "the session ends", func() bool { return r.server.session(p.sid) == nil })
}

func TestClientCloses(t *testing.T) {
	r := newEngineRig(t, Config{})
	p := r.polling()
	answer := make(chan string, 1)
	go func() {
		_, body, _ := r.requestContext(p.ctx, "GET", p.query(), "")
		answer <- body
	}()
	s := r.server.session(p.sid)
	eventually(t, "a poll waits", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.poll != nil })
	if status, body := r.request("POST", p.query(), "1"); status != 200 || body != "ok" {
		t.Errorf("POST of CLOSE: %d %s", status, body)
	}
	if body := receive(t, "the poll's answer", answer); body != "6" {
		t.Errorf("poll: %q", body)
	}
	if status, _ := r.request("GET", p.query(), ""); status != 400 {
		t.Errorf("poll after the end: %d", status)
	}
	p = r.polling() // the POST overtakes the poll
	r.request("POST", p.query(), "1")
	if status, body := r.request("GET", p.query(), ""); status != 200 || body != "6" {
		t.Errorf("the poll behind: %d %s", status, body)
	}
	if status, _ := r.request("GET", p.query(), ""); status != 400 {
		t.Errorf("the poll after it: %d", status)
	}
	eventually(t, "the session is forgotten", func() bool { return r.server.session(p.sid) == nil })

	ws := r.websocket()
	ws.send("1")
	expectEnd(t, ws)
	ws.close()
}

// TestControlFrames answers a websocket's pings in turn with its messages.
func TestControlFrames(t *testing.T) {
	r := newEngineRig(t, Config{})
	ws := r.websocket()
	defer ws.close()
	pongs := make(chan string, 1)
	ws.conn.SetPongHandler(func(data string) error { pongs <- data; return nil })
	if err := ws.conn.WriteControl(websocket.PingMessage, []byte("are you there"), time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	ws.send("4x")
	expect(t, ws, "4x")
	if got := receive(t, "pong", pongs); got != "are you there" {
		t.Errorf("pong %q", got)
	}
}

func TestHeartbeat(t *testing.T) {
	cfg := Config{PingInterval: 30 * time.Millisecond, PingTimeout: 5 * time.Second}
	t.Run("polling", func(t *testing.T) {
		r := newEngineRig(t, cfg)
		p := r.polling()
		for range 3 {
			if _, body := r.request("GET", p.query(), ""); body != "2" {
				t.Fatalf("got %q, want a ping", body)
			}
			r.request("POST", p.query(), "3")
		}
	})
	t.Run("websocket", func(t *testing.T) {
		r := newEngineRig(t, cfg)
		conn, _, err := r.dial("transport=websocket", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, _, _ = conn.ReadMessage()
		for range 3 {
			if _, data, err := conn.ReadMessage(); err != nil || string(data) != "2" {
				t.Fatalf("got %q, %v, want a ping", data, err)
			}
			_ = conn.WriteMessage(websocket.TextMessage, []byte("3"))
		}
	})
}

func TestPingTimeout(t *testing.T) {
	r := newEngineRig(t, Config{PingInterval: 10 * time.Millisecond, PingTimeout: 20 * time.Millisecond})
	polling := r.polling() // never polls
	conn, _, err := r.dial("transport=websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for err == nil { // never answers
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		_, _, err = conn.ReadMessage()
	}
	eventually(t, "both sessions end", func() bool { return r.server.Stats().Connections() == 0 })
	if status, _ := r.request("GET", polling.query(), ""); status != 400 {
		t.Errorf("poll after the end: %d", status)
	}
}

func TestUpgrade(t *testing.T) {
	r := newEngineRig(t, Config{})
	p := r.polling()
	ws := p.probe()
	if _, body := r.request("GET", p.query(), ""); body != "6" {
		t.Fatalf("a poll while probing: %q", body)
	}
	ws.send("5", "4hello")
	expect(t, ws, "4hello")
	if status, _ := r.request("GET", p.query(), ""); status != 400 {
		t.Errorf("poll after the upgrade: %d", status)
	}
	if status, _ := r.request("POST", p.query(), "4x"); status != 400 {
		t.Errorf("post after the upgrade: %d", status)
	}
	again, _, err := r.dial("transport=websocket&sid="+p.sid, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = again.SetReadDeadline(time.Now().Add(patience))
	if _, _, err := again.ReadMessage(); !websocket.IsCloseError(err, websocket.ClosePolicyViolation) {
		t.Errorf("second upgrade: %v", err)
	}
	ws.send("4still there")
	expect(t, ws, "4still there")
	if got := r.server.Stats(); got != (Stats{WebSocket: 1}) {
		t.Errorf("Stats: %+v", got)
	}
}

// TestFailedUpgrade requires a session to go on by polling when its websocket does not make it.
func TestFailedUpgrade(t *testing.T) {
	for name, fail := range map[string]func(*pollPeer, *wsPeer){
		"wrong probe":       func(_ *pollPeer, ws *wsPeer) { ws.send("2prob") },
		"message first":     func(_ *pollPeer, ws *wsPeer) { ws.send("4hello") },
		"upgrade first":     func(_ *pollPeer, ws *wsPeer) { ws.send("5") },
		"binary":            func(_ *pollPeer, ws *wsPeer) { _ = ws.conn.WriteMessage(websocket.BinaryMessage, []byte("2probe")) },
		"message after it":  func(_ *pollPeer, ws *wsPeer) { ws.send("2probe", "4hello") },
		"closed":            func(_ *pollPeer, ws *wsPeer) { ws.close() },
		"closed after it":   func(_ *pollPeer, ws *wsPeer) { ws.send("2probe"); ws.close() },
		"nothing at all":    func(*pollPeer, *wsPeer) {},
		"nothing but probe": func(_ *pollPeer, ws *wsPeer) { ws.send("2probe") },
	} {
		t.Run(name, func(t *testing.T) {
			r := newEngineRig(t, Config{UpgradeTimeout: 200 * time.Millisecond})
			p := r.polling()
			conn, _, err := r.dial("transport=websocket&sid="+p.sid, nil)
			if err != nil {
				t.Fatal(err)
			}
			ws := &wsPeer{t: t, conn: conn}
			defer ws.close()
			fail(p, ws)
			p.send("4hello")
			expect(t, p, "4hello")
			eventually(t, "the next websocket is taken", func() bool {
				if conn, _, err = r.dial("transport=websocket&sid="+p.sid, nil); err != nil {
					t.Fatal(err)
				}
				ws = &wsPeer{t: t, conn: conn}
				ws.send("2probe")
				packet, err := ws.next()
				return err == nil && packet == "3probe"
			})
			defer ws.close()
			ws.send("5", "4again")
			expect(t, ws, "4again")
		})
	}
}

// TestUpgradeWhileAPostIsHandled changes to websocket as the official client does, in the middle of an event that waits for the client
// to read: it reads nothing before its POST is answered.
func TestUpgradeWhileAPostIsHandled(t *testing.T) {
	const total, size = 50, 10_000
	h := &script{event: func(ctx context.Context, s *Socket, e Event) {
		if e.Name == "after" {
			_ = s.Emit("after")
			return
		}
		for range total {
			if err := s.Drain(ctx, size); err != nil {
				t.Errorf("Drain: %v", err)
				return
			}
			_ = s.Emit("x", strings.Repeat("x", size))
		}
	}}
	r := newRig(t, Config{}, one(h))
	p := r.polling()
	join(t, p)
	p.send(`42/chat,["all"]`) // returns when it is answered
	p.send(`42/chat,["after"]`)
	ws := p.probe()
	ws.send("5")
	for range total {
		expect(t, ws, `42/chat,["x"`)
	}
	expect(t, ws, `42/chat,["after"`)
	ws.send(`42/chat,["after"]`)
	expect(t, ws, `42/chat,["after"`)
	ws.close()
}
