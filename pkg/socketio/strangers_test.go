package socketio

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// connection opens a bare connection to the server.
func (r *rig) connection() net.Conn {
	r.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.http.URL, "http://"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// TestManyFields bounds a header's fields, however small they are, and what they take together.
func TestManyFields(t *testing.T) {
	r := newRig(t, Config{}, one(echoed()))
	for _, c := range []struct{ fields, size, status int }{
		{90, 0, http.StatusOK}, {maxFields + 1, 0, http.StatusRequestHeaderFieldsTooLarge},
		{1, 31_000, http.StatusOK}, {50, 500, http.StatusOK}, {50, 560, http.StatusRequestHeaderFieldsTooLarge},
	} {
		header := http.Header{}
		for i := range c.fields {
			header[fmt.Sprintf("X-%d", i)] = []string{strings.Repeat("x", c.size)}
		}
		status, sid, _ := r.handshake(header)
		if status != c.status {
			t.Errorf("%d fields of %d bytes: %d, want %d", c.fields, c.size, status, c.status)
		}
		if status != http.StatusOK {
			continue
		}
		if kept := len(r.server.session(sid).header); kept > c.fields*(c.size+10)+500 {
			t.Errorf("%d fields of %d bytes: %d bytes are kept", c.fields, c.size, kept)
		}
	}
}

// TestNothingKeptOfThePath opens sessions by requests of a size that only net/http bounds.
func TestNothingKeptOfThePath(t *testing.T) {
	const sessions, size = 20, 500 << 10
	r := newRig(t, Config{}, one(echoed()))
	heap := func() int {
		runtime.GC()
		runtime.GC() // what is in pools goes in two steps
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	conn := r.connection()
	answers := bufio.NewReader(conn)
	before := heap()
	path := "/socket.io/" + strings.Repeat("x", size) + "?EIO=4&transport=polling"
	for range sessions {
		if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(answers, nil)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatal(answer, err)
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			t.Fatal(err)
		}
	}
	if kept := heap() - before; kept > sessions*size/4 {
		t.Errorf("%d sessions keep %d KiB", sessions, kept>>10)
	}
}

// TestUnjoinedPayload takes little of a stranger, and MaxPayload of whoever has joined, at once.
func TestUnjoinedPayload(t *testing.T) {
	const more = 20 << 10
	r := newRig(t, Config{}, one(echoed()))
	half := r.rawConn()
	defer func() { _ = half.Close() }()
	if _, err := half.Write(clientFrame(0x01, make([]byte, more))[:100]); err != nil {
		t.Fatal(err)
	}
	_ = half.SetDeadline(time.Now().Add(patience))
	if code := closeCode(t, half); code != websocket.CloseMessageTooBig {
		t.Errorf("half a message: close code %d", code)
	}
	polling := r.polling()
	if status, body := r.request(http.MethodPost, polling.query(), "40/chat,"+strings.Repeat(" ", more)); status != http.StatusRequestEntityTooLarge ||
		!strings.Contains(body, "too large") {
		t.Errorf("a POST: %d %s", status, body)
	}
	if got := r.metric(r.server.metrics.closes.vec.WithLabelValues(ReasonTooLarge)); got != 2 {
		t.Errorf("%v counted", got)
	}

	event := `42/chat,["x","` + strings.Repeat("x", more) + `"]`
	raw := r.rawConn()
	defer func() { _ = raw.Close() }()
	go func() { // in one go: the event is there before the CONNECT is handled
		_, _ = raw.Write(append(clientFrame(0x81, []byte("40/chat,")), clientFrame(0x81, []byte(event))...))
	}()
	_ = raw.SetDeadline(time.Now().Add(patience))
	if _, err := io.CopyN(io.Discard, raw, int64(len(event))); err != nil {
		t.Errorf("behind a CONNECT: %v", err)
	}
	overBoth(t, func(t *testing.T, open func(*rig) peer) {
		r := newRig(t, Config{}, one(echoed()))
		p := open(r)
		defer p.close()
		join(t, p)
		p.send(event)
		expect(t, p, event)
		p.send("41/chat,", "40/chat,")
		expect(t, p, "40/chat,")
		p.send(event)
		expect(t, p, event)
	})
}

// TestTheOldestMakesRoom ends who has belonged to no namespace for longest, and nobody else.
func TestTheOldestMakesRoom(t *testing.T) {
	r := newRig(t, Config{MaxUnjoined: 3}, one(echoed()))
	joined := r.websocket()
	defer joined.close()
	join(t, joined)
	oldest, second, left := r.websocket(), r.polling(), r.websocket()
	defer oldest.close()
	defer left.close()
	join(t, left)
	left.send("41/chat,", "6")
	eventually(t, "three belong to no namespace", func() bool { return r.server.newcomers.count() == 3 })
	newest := r.polling()
	if code := expectEnd(t, oldest); code != websocket.CloseTryAgainLater {
		t.Errorf("close code %d", code)
	}
	r.polling()
	if packets, err := second.poll(); err == nil {
		t.Errorf("the second gets %q", packets)
	}
	if got := r.metric(r.server.metrics.closes.vec.WithLabelValues(ReasonCrowdedOut)); got != 2 {
		t.Errorf("%v counted", got)
	}
	join(t, newest)
	join(t, left)
	joined.send(`42/chat,["still","here"]`)
	expect(t, joined, `42/chat,["still","here"]`)
}

// TestNobodyWhoIsInMakesRoom opens a connection as soon as another one has heard that it is in.
func TestNobodyWhoIsInMakesRoom(t *testing.T) {
	r := newRig(t, Config{MaxUnjoined: 1}, one(echoed()))
	for range 300 {
		joined := r.websocket()
		join(t, joined)
		r.polling()
		joined.send(`42/chat,["still","here"]`)
		expect(t, joined, `42/chat,["still","here"]`)
		joined.close()
	}
}

// TestAFloodLocksNobodyOut serves who joins while somebody opens connections as fast as they can.
func TestAFloodLocksNobodyOut(t *testing.T) {
	const most = 200
	r := newRig(t, Config{MaxUnjoined: most}, one(echoed()))
	stop, stopped := make(chan struct{}), make(chan struct{})
	conn := r.connection()
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				_, _ = io.WriteString(conn, strings.Repeat("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n", 2))
			}
		}
	}()
	eventually(t, "some were crowded out", func() bool {
		return r.metric(r.server.metrics.closes.vec.WithLabelValues(ReasonCrowdedOut)) > 0
	})
	for range 5 {
		p := r.polling()
		join(t, p)
		p.close()
	}
	close(stop)
	<-stopped
	if got := r.server.newcomers.count(); got > most {
		t.Errorf("%d belong to no namespace", got)
	}
}

// TestCrowdedOutWhileOpening opens many at once where there is room for one.
func TestCrowdedOutWhileOpening(t *testing.T) {
	r := newRig(t, Config{MaxUnjoined: 1}, one(echoed()))
	inParallel(40, func() {
		if status, body := r.request(http.MethodGet, "transport=polling", ""); status != http.StatusOK {
			t.Errorf("%d %s", status, body)
		}
	})
	eventually(t, "one is left", func() bool {
		r.server.mu.Lock()
		defer r.server.mu.Unlock()
		return len(r.server.sessions) == 1 && r.server.Stats().Connections() == 1 && r.server.newcomers.count() == 1
	})
}

// TestOneAddressOpensAndCloses has its own share of handshakes, and its neighbours theirs.
func TestOneAddressOpensAndCloses(t *testing.T) {
	r := newRig(t, Config{ConnectionsPerAddress: 3, Handshakes: Rate{PerSecond: 1e-6, Burst: 6}, TrustedProxies: prefixes("127.0.0.0/8")}, one(echoed()))
	churn := func(address string) (status int) {
		t.Helper()
		status, sid, retry := r.handshake(from(address))
		if status != http.StatusOK {
			wantRetry(t, retry)
			return status
		}
		if closed, _ := r.request(http.MethodPost, "transport=polling&sid="+sid, "1"); closed != http.StatusOK {
			t.Fatalf("close: %d", closed)
		}
		return status
	}
	refused := 0
	for range 20 {
		if churn("198.51.100.7") == http.StatusTooManyRequests {
			refused++
		}
	}
	if got := r.metric(r.server.metrics.refusals.WithLabelValues(refusedHasty)); refused < 10 || int(got) != refused {
		t.Errorf("%d of 20 were refused, %v counted", refused, got)
	}
	for range 2 {
		if status := churn("198.51.100.8"); status != http.StatusOK {
			t.Errorf("a neighbour: %d", status)
		}
	}
}

// TestPlacesRemember forgets an address with no connections not before maxLeft others have left, and gives its share back.
func TestPlacesRemember(t *testing.T) {
	p, now := newPlaces(2), time.Now()
	take := func(i int, want string) *place {
		t.Helper()
		at, refused := p.take(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now)
		if refused != want {
			t.Fatalf("address %d: %q, want %q", i, refused, want)
		}
		return at
	}
	for range 2 {
		p.leave(take(0, ""))
	}
	take(0, refusedHasty)
	for range 5 {
		p.giveBack(take(1, ""))
	}
	for i := 2; i < maxLeft; i++ {
		p.leave(take(i, ""))
	}
	take(0, refusedHasty)
	if now = now.Add(time.Second); p.byAddress == nil || len(p.byAddress) != maxLeft {
		t.Errorf("%d are remembered", len(p.byAddress))
	}
	p.leave(take(0, "")) // by now the one left last
	p.leave(take(maxLeft, ""))
	p.leave(take(maxLeft+1, ""))
	take(0, refusedHasty)
	if len(p.byAddress) != maxLeft || p.left.Len() != maxLeft {
		t.Errorf("%d are remembered, %d of them left", len(p.byAddress), p.left.Len())
	}
}

// TestUnreadRefusals cuts off a client that asks without end for what it does not get, and reads no answer.
func TestUnreadRefusals(t *testing.T) {
	r := newRig(t, Config{WriteTimeout: 50 * time.Millisecond}, one(echoed()))
	conn := r.connection()
	_ = conn.SetDeadline(time.Now().Add(6 * patience)) // the system takes megabytes of answers first
	ask := []byte(strings.Repeat("GET /socket.io/?EIO=3 HTTP/1.1\r\nHost: x\r\n\r\n", 100))
	for {
		if _, err := conn.Write(ask); err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				t.Error("the connection is open still")
			}
			return
		}
	}
}

// TestChatter ends a connection that goes on with what is no event.
func TestChatter(t *testing.T) {
	const burst = 50
	text := func(packets ...string) (wire []byte) {
		for _, p := range packets {
			wire = append(wire, clientFrame(0x81, []byte(p))...)
		}
		return wire
	}
	for name, c := range map[string]struct{ first, again []byte }{
		"NOOP":                   {nil, text("6")},
		"pong":                   {nil, text("3")},
		"websocket's pong":       {nil, clientFrame(0x8a, nil)},
		"websocket's ping":       {nil, append(clientFrame(0x89, []byte("x")), text("3")...)},
		"empty fragments":        {clientFrame(0x01, []byte("4")), clientFrame(0x00, nil)},
		"events after the end":   {text("41/chat,"), text(`42/chat,["x"]`)},
		"DISCONNECT once more":   {text("41/chat,"), text("41/chat,")},
		"fragments of an event":  {nil, append(clientFrame(0x01, []byte("42/chat,")), clientFrame(0x80, []byte(`["x"]`))...)},
		"fragments of a message": {clientFrame(0x01, []byte("4")), clientFrame(0x00, []byte("2"))},
	} {
		t.Run(name, func(t *testing.T) {
			reasons := make(chan string, 1)
			r := newRig(t, Config{Chatter: Rate{PerSecond: 1e-6, Burst: burst}}, one(&script{
				disconnected: func(_ *Socket, reason string) { reasons <- reason },
			}))
			conn := r.rawConn()
			defer func() { _ = conn.Close() }()
			_ = conn.SetDeadline(time.Now().Add(patience))
			if _, err := conn.Write(append(append(text("40/chat,"), c.first...), bytes.Repeat(c.again, burst+1)...)); err != nil {
				t.Fatal(err)
			}
			if code := closeCode(t, conn); code != websocket.ClosePolicyViolation {
				t.Errorf("close code %d", code)
			}
			if got := r.metric(r.server.metrics.closes.vec.WithLabelValues(ReasonFlood)); got != 1 {
				t.Errorf("%v counted", got)
			}
			if reason := receive(t, "Disconnected", reasons); reason != ReasonFlood && len(c.first) == 0 {
				t.Errorf("reason %q", reason)
			}
		})
	}
	t.Run("polling", func(t *testing.T) {
		r := newRig(t, Config{Chatter: Rate{PerSecond: 1e-6, Burst: burst}}, one(echoed()))
		p := r.polling()
		join(t, p)
		noops := func(n int) string { return strings.TrimSuffix(strings.Repeat("6\x1e", n), "\x1e") }
		for _, c := range []struct{ packets, status int }{{burst, http.StatusOK}, {1, http.StatusBadRequest}} {
			if status, _ := r.request(http.MethodPost, p.query(), noops(c.packets)); status != c.status {
				t.Errorf("%d NOOPs: %d, want %d", c.packets, status, c.status)
			}
		}
	})
	t.Run("events are free", func(t *testing.T) {
		r := newRig(t, Config{Chatter: Rate{PerSecond: 1e-6, Burst: burst}}, one(echoed()))
		p := r.websocket()
		defer p.close()
		join(t, p)
		for range 3 * burst {
			p.send(`42/chat,["x"]`)
			expect(t, p, `42/chat,["x"]`)
		}
	})
}

// TestMeter refills over time and no further than full, and survives a clock that is put back.
func TestMeter(t *testing.T) {
	var m meter
	now, rate := time.Unix(1_750_000_000, 0), Rate{PerSecond: 10, Burst: 3}
	spend := func(after time.Duration, want int) {
		t.Helper()
		now = now.Add(after)
		got := 0
		for m.spend(now, rate, 1) {
			got++
		}
		if got != want {
			t.Errorf("after %v: %d, want %d", after, got, want)
		}
	}
	spend(0, 3)
	spend(50*time.Millisecond, 0)
	spend(60*time.Millisecond, 1)
	spend(-time.Hour, 0)
	spend(210*time.Millisecond, 2)
	spend(time.Hour, 3)
}

// TestPacketsPerPoll answers each poll with as many packets as any client takes, in order.
func TestPacketsPerPoll(t *testing.T) {
	const events = 100
	r := newRig(t, Config{}, one(&script{event: func(_ context.Context, s *Socket, _ Event) {
		for i := range events {
			_ = s.Emit("x", i)
		}
	}}))
	p := r.polling()
	join(t, p)
	p.send(`42/chat,["go"]`)
	for got, polls := 0, 0; got < events; polls++ {
		packets, err := p.poll()
		if err != nil || len(packets) > 16 || polls > events/16 {
			t.Fatalf("poll %d: %d packets, %v", polls, len(packets), err)
		}
		for _, packet := range packets {
			if want := `42/chat,["x",` + strconv.Itoa(got) + `]`; packet != want {
				t.Fatalf("got %q, want %q", packet, want)
			}
			got++
		}
	}
	eventually(t, "nothing waits", func() bool {
		s := r.server.session(p.sid)
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.queue.bytes == 0
	})
}

// TestHalfPostEndsWithItsSession keeps neither a Shutdown nor anything else that ends the session.
func TestHalfPostEndsWithItsSession(t *testing.T) {
	r := newRig(t, Config{}, one(echoed()))
	r.halfPost(t, func(p *pollPeer) { r.server.session(p.sid).abort(ReasonPingTimeout) })
	r.halfPost(t, func(*pollPeer) { r.shutdown() })
}

func (r *rig) halfPost(t *testing.T, end func(*pollPeer)) {
	t.Helper()
	p := r.polling()
	join(t, p)
	conn := r.connection()
	if _, err := fmt.Fprintf(conn, "POST /socket.io/?EIO=4&%s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n42/chat,[", p.query()); err != nil {
		t.Fatal(err)
	}
	sess := r.server.session(p.sid)
	eventually(t, "the POST is read", func() bool { sess.mu.Lock(); defer sess.mu.Unlock(); return sess.body != nil })
	end(p)
	if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
		t.Errorf("answered %q, %v", answer, err)
	}
}
