package socketio

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// TestSlowReader floods clients that do not read: each is bounded and then closed, and a client that
// reads gets everything meanwhile.
func TestSlowReader(t *testing.T) {
	const buffer = 64 << 10
	overBoth(t, func(t *testing.T, open func(*rig) peer) {
		sockets := make(chan *Socket, 1)
		reasons := make(chan string, 1)
		h := &script{
			connected:    func(_ context.Context, s *Socket) { sockets <- s },
			disconnected: func(_ *Socket, reason string) { reasons <- reason },
		}
		r := newRig(t, Config{SendBuffer: buffer}, one(h))
		slow, good := open(r), open(r)
		join(t, slow)
		stuck := receive(t, "socket", sockets)
		join(t, good)
		reader := receive(t, "socket", sockets)
		packet, err := Encode("/chat", "flood", strings.Repeat("x", 1000))
		if err != nil {
			t.Fatal(err)
		}
		most, sent := 0, 0
		for ; len(reasons) == 0; sent++ {
			if sent > 100_000 {
				t.Fatal("the client that does not read was never closed")
			}
			start := time.Now()
			stuck.Send(packet)
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("Send blocked for %v", took)
			}
			s := stuck.client.sess
			s.mu.Lock()
			most = max(most, s.queue.bytes)
			s.mu.Unlock()
			if sent%100 == 0 {
				reader.Send(packet)
				expect(t, good, `42/chat,["flood"`)
			}
		}
		if most > buffer {
			t.Errorf("%d bytes waited, over the bound of %d", most, buffer)
		}
		if got := receive(t, "Disconnected", reasons); got != ReasonSlowClient {
			t.Errorf("reason %q", got)
		}
		if got := r.metric(r.server.metrics.overflows); got != 1 {
			t.Errorf("overflows counted: %v", got)
		}
		slow.close()
		good.close()
	})
}

// TestStuckWrite ends a connection whose peer takes nothing for WriteTimeout, though little waits.
func TestStuckWrite(t *testing.T) {
	sockets := make(chan *Socket, 1)
	reasons := make(chan string, 1)
	h := &script{
		connected:    func(_ context.Context, s *Socket) { sockets <- s },
		disconnected: func(_ *Socket, reason string) { reasons <- reason },
	}
	r := newRig(t, Config{WriteTimeout: 50 * time.Millisecond, SendBuffer: 64 << 20}, one(h))
	p := r.websocket()
	defer p.close()
	join(t, p)
	s := receive(t, "socket", sockets)
	big, err := Encode("/chat", "x", strings.Repeat("x", 16<<20)) // more than the kernel takes
	if err != nil {
		t.Fatal(err)
	}
	s.Send(big)
	if got := receive(t, "Disconnected", reasons); got != ReasonTransportError {
		t.Errorf("reason %q", got)
	}
}

// TestDrain sends more than the buffer holds, at the client's pace.
func TestDrain(t *testing.T) {
	const total, size = 500, 10_000
	overBoth(t, func(t *testing.T, open func(*rig) peer) {
		h := &script{event: func(ctx context.Context, s *Socket, _ Event) {
			for range total {
				if err := s.Drain(ctx, 20_000); err != nil {
					t.Errorf("Drain: %v", err)
				}
				_ = s.Emit("x", strings.Repeat("x", size))
			}
		}}
		r := newRig(t, Config{SendBuffer: 40_000}, one(h))
		p := open(r)
		join(t, p)
		go p.send(`42/chat,["all"]`)
		for range total {
			expect(t, p, `42/chat,["x"`)
		}
		p.close()
	})
}

// TestDrainGivesUp returns when its context ends, and when the socket does: also where the client is
// gone without a word and polls no more, though an event of it is being handled.
func TestDrainGivesUp(t *testing.T) {
	results := make(chan error, 2)
	h := &script{event: func(_ context.Context, s *Socket, _ Event) {
		_ = s.Emit("x", strings.Repeat("x", 1000))
		soon, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		results <- s.Drain(soon, 100)
		results <- s.Drain(context.Background(), 100)
	}}
	r := newRig(t, Config{PingInterval: 50 * time.Millisecond, PingTimeout: 50 * time.Millisecond}, one(h))
	p := r.polling()
	join(t, p)
	go p.send(`42/chat,["go"]`)
	if err := receive(t, "Drain", results); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a context that ends: %v", err)
	}
	if err := receive(t, "Drain", results); !errors.Is(err, ErrClosed) {
		t.Errorf("with a client that is gone: %v", err)
	}
}

// TestDrainLeavesNothing gives up waiting again and again, and asks a socket that has ended.
func TestDrainLeavesNothing(t *testing.T) {
	sockets, over := make(chan *Socket, 1), make(chan struct{})
	h := &script{
		connected:    func(_ context.Context, s *Socket) { sockets <- s },
		disconnected: func(*Socket, string) { close(over) },
	}
	r := newRig(t, Config{}, one(h))
	p := r.polling()
	join(t, p)
	s := receive(t, "socket", sockets)
	_ = s.Emit("x", strings.Repeat("x", 1000))
	past, cancel := context.WithCancel(context.Background())
	cancel()
	for range 100 {
		if err := s.Drain(past, 100); !errors.Is(err, context.Canceled) {
			t.Errorf("Drain: %v", err)
		}
	}
	sess := s.client.sess
	sess.mu.Lock()
	if n := len(sess.queue.waiters); n != 0 {
		t.Errorf("%d still wait", n)
	}
	sess.mu.Unlock()
	expect(t, p, `42/chat,["x"`)
	soon, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Drain(soon, -1); err != nil {
		t.Errorf("below nothing: %v", err)
	}
	p.close()
	receive(t, "Disconnected", over)
	if err := s.Drain(context.Background(), 1<<20); !errors.Is(err, ErrClosed) {
		t.Errorf("of a socket that has ended: %v", err)
	}
}

// TestBatch writes what waited in one go, large and small, in order.
func TestBatch(t *testing.T) {
	r := newEngineRig(t, Config{})
	p := r.websocket()
	defer p.close()
	s := r.server.session(p.sid)
	sizes := []int{1, 100, writeChunk, 5, writeChunk - 200, 300, 3 * writeChunk, writeChunk + 1, 7}
	s.mu.Lock()
	for i, n := range sizes {
		s.queue.push(textFrame(engineMessage, []byte(strings.Repeat(string(rune('a'+i)), n))))
	}
	s.kick()
	s.mu.Unlock()
	for i, n := range sizes {
		if got := expect(t, p, "4"); got[1:] != strings.Repeat(string(rune('a'+i)), n) {
			t.Errorf("message %d came as %d bytes of %q, not %d", i, len(got)-1, got[1], n)
		}
	}
	eventually(t, "nothing is left", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.queue.bytes == 0 })
}

// TestSharedPacket requires a broadcast to cost no memory per recipient beyond its place in a queue.
func TestSharedPacket(t *testing.T) {
	packet, err := Encode("/chat", "x", strings.Repeat("x", 10_000))
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, Config{}, one(&script{}))
	const recipients = 200
	sessions := make([]*session, recipients)
	for i := range sessions {
		p := r.polling()
		join(t, p)
		sessions[i] = r.server.session(p.sid)
	}
	sockets := make([]*Socket, recipients)
	for i, s := range sessions {
		sockets[i] = s.overlay.(*client).sockets[0]
		sockets[i].Send(packet)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, s := range sockets {
		s.Send(packet)
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / recipients; each > 1000 {
		t.Errorf("%d bytes are allocated for each recipient of a packet of %d", each, packet.Size())
	}
}

func TestShutdown(t *testing.T) {
	for name, disconnect := range map[string]bool{"cut": false, "kick": true} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, open func(*rig) peer) {
				reasons := make(chan string, 8)
				started := make(chan struct{}, 8)
				h := &script{
					event: func(_ context.Context, _ *Socket, e Event) {
						started <- struct{}{}
						time.Sleep(20 * time.Millisecond)
						e.Ack("done")
					},
					disconnected: func(_ *Socket, reason string) { reasons <- reason },
				}
				r := newRig(t, Config{DisconnectOnShutdown: disconnect, DrainTimeout: patience, ShutdownBatch: 2}, one(h))
				var peers []peer
				for range 5 {
					p := open(r)
					join(t, p)
					go p.send(`42/chat,1["work"]`)
					peers = append(peers, p)
				}
				for range peers {
					receive(t, "event", started)
				}
				down := make(chan struct{})
				go func() {
					defer close(down)
					r.shutdown()
				}()
				inParallelFor(peers, func(p peer) {
					expect(t, p, `43/chat,1["done"]`) // what was in flight is finished
					if disconnect {
						expect(t, p, "41/chat,")
					}
					if code := expectEnd(t, p); code != 0 && code != websocket.CloseNormalClosure {
						t.Errorf("close code %d", code)
					}
					if ws, ok := p.(*wsPeer); ok {
						ws.close()
					}
				})
				receive(t, "Shutdown", down)
				for range peers {
					if got := receive(t, "Disconnected", reasons); got != ReasonShutdown {
						t.Errorf("reason %q", got)
					}
				}
				if status, _ := r.request("GET", "transport=polling", ""); status != 503 {
					t.Errorf("a handshake after Shutdown: %d", status)
				}
				if _, res, err := r.dial("transport=websocket", nil); err == nil || res == nil || res.StatusCode != 503 {
					t.Errorf("a websocket after Shutdown: %v", err)
				}
			})
		})
	}
}

func inParallelFor(peers []peer, f func(peer)) {
	next := make(chan peer, len(peers))
	for _, p := range peers {
		next <- p
	}
	inParallel(len(peers), func() { f(<-next) })
}

// TestShutdownCutsOff ends in time though a client does not let go and a handler waits for its context.
func TestShutdownCutsOff(t *testing.T) {
	entered := make(chan struct{})
	h := &script{event: func(ctx context.Context, _ *Socket, _ Event) {
		close(entered)
		<-ctx.Done()
	}}
	r := newRig(t, Config{DrainTimeout: time.Hour}, one(h))
	busy, idle := r.websocket(), r.websocket()
	join(t, busy)
	join(t, idle)
	busy.send(`42/chat,["wait"]`)
	receive(t, "event", entered)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := r.server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("Shutdown took %v", took)
	}
	busy.close()
	idle.close()
}

func TestShutdownBatches(t *testing.T) {
	s := New(Config{ShutdownBatch: 10, ShutdownPause: 100 * time.Millisecond})
	if got := s.batchSize(context.Background(), 10_000); got != 10 {
		t.Errorf("unhurried: %d", got)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2050*time.Millisecond)
	defer cancel()
	if got := s.batchSize(ctx, 1000); got < 100 || got > 125 {
		t.Errorf("1000 sockets in a second, ten times: %d", got)
	}
	if got := s.batchSize(ctx, 20); got != 10 {
		t.Errorf("20 sockets: %d", got)
	}
}

func TestRun(t *testing.T) {
	r := newRig(t, Config{}, one(&script{}))
	p := r.websocket()
	join(t, p)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.server.Run(ctx) }()
	cancel()
	expectEnd(t, p)
	p.close()
	if err := receive(t, "Run", done); err != nil {
		t.Error(err)
	}
}

// TestNothingLogged sends what must not be told on, and fails in ways that are logged.
func TestNothingLogged(t *testing.T) {
	var log logLines
	h := echoed()
	h.authenticate = func(_ context.Context, hs Handshake) (any, error) {
		if hs.Auth == nil {
			return nil, fmt.Errorf("token missing")
		}
		return nil, nil
	}
	h.event = func(context.Context, *Socket, Event) { panic("oh") }
	r := newRig(t, Config{Logger: log.logger()}, one(h))
	conn, _, err := r.dial("transport=websocket&token=secret-query", nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &wsPeer{t: t, conn: conn}
	defer p.close()
	expect(t, p, "0")
	p.send("40/chat,", `40/chat,{"token":"secret-auth"}`, `42/chat,["x","secret-body"]`)
	expect(t, p, "44")
	expect(t, p, "40")
	expect(t, p, "41")
	expectEnd(t, p)
	if text := log.String(); !strings.Contains(text, "panicked") || strings.Contains(text, "secret") {
		t.Errorf("the log:\n%s", text)
	}
}

// TestReasonLabels bounds what Socket.Close can make of the metrics.
func TestReasonLabels(t *testing.T) {
	m := newMetrics(nil)
	for i := range 3 * maxReasons {
		m.closes.add(fmt.Sprintf("reason %d", i))
	}
	m.closes.add("reason 0")
	if len(m.closes.known) != maxReasons {
		t.Errorf("%d labels", len(m.closes.known))
	}
	r := &rig{t: t}
	if got := r.metric(m.closes.vec.WithLabelValues("other")); got != 2*maxReasons {
		t.Errorf("%v counted as other", got)
	}
	if got := r.metric(m.closes.vec.WithLabelValues("reason 0")); got != 2 {
		t.Errorf("%v counted as reason 0", got)
	}
}

// rawConn makes a websocket's handshake by hand and leaves the connection bare.
func (r *rig) rawConn() net.Conn {
	r.t.Helper()
	conn, _, err := r.dial("transport=websocket", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, _, err := conn.ReadMessage(); err != nil {
		r.t.Fatal(err)
	}
	return conn.NetConn()
}

// TestTooLargeToSend sends a client that keeps up one packet that fits no buffer: Config.SendBuffer says what comes of it.
func TestTooLargeToSend(t *testing.T) {
	overBoth(t, func(t *testing.T, open func(*rig) peer) {
		const buffer = 10_000
		reasons := make(chan string, 1)
		emitted := make(chan error, 2)
		h := &script{
			event: func(_ context.Context, s *Socket, _ Event) {
				for _, size := range []int{buffer - 200, buffer} {
					emitted <- s.Emit("x", strings.Repeat("x", size))
					_ = s.Drain(context.Background(), 0)
				}
			},
			disconnected: func(_ *Socket, reason string) { reasons <- reason },
		}
		r := newRig(t, Config{SendBuffer: buffer}, one(h))
		p := open(r)
		join(t, p)
		go p.send(`42/chat,["go"]`) // a POST is answered when it is handled
		expect(t, p, `42/chat,["x","xxx`)
		if code := expectEnd(t, p); code != 0 && code != websocket.CloseAbnormalClosure {
			t.Errorf("close code %d", code)
		}
		for _, want := range []error{nil, ErrClosed} {
			if err := receive(t, "Emit", emitted); !errors.Is(err, want) {
				t.Errorf("Emit: %v, want %v", err, want)
			}
		}
		if got := receive(t, "Disconnected", reasons); got != ReasonSlowClient {
			t.Errorf("reason %q", got)
		}
		if got := r.metric(r.server.metrics.overflows); got != 1 {
			t.Errorf("overflows counted: %v", got)
		}
		p.close()
	})
}

// TestAcksThatWait lets acknowledgements wait behind a client that does not read, for a write or for the rest of one:
// none shows what the memory in which it was made was used for next.
func TestAcksThatWait(t *testing.T) {
	overBoth(t, func(t *testing.T, open func(*rig) peer) {
		const events, size = 10_000, 1000
		r := newRig(t, Config{SendBuffer: 64 << 20, MaxPayload: 64 << 20}, one(echoed()))
		p := open(r)
		join(t, p)
		text := func(i int) string { return strings.Repeat(string(rune('a'+i%26)), size) }
		packets := make([]string, events)
		for i := range packets {
			packets[i] = fmt.Sprintf(`42/chat,%d["x","%s"]`, i, text(i))
		}
		p.send(packets...)
		for i := range packets {
			if got, want := expect(t, p, "43/chat,"), fmt.Sprintf(`43/chat,%d["%s"]`, i, text(i)); got != want {
				t.Fatalf("event %d was answered %.40q", i, got)
			}
		}
		p.close()
	})
}

// TestAcksCutShort answers one event after the other until the socket takes only half an answer.
func TestAcksCutShort(t *testing.T) {
	const events, size = 600, 12_000
	text := func(i int) string { return strings.Repeat(string(rune('a'+i%26)), size) }
	answered := make(chan struct{}, 1)
	i := 0
	h := &script{event: func(_ context.Context, _ *Socket, e Event) {
		e.Ack(text(i))
		i++
		answered <- struct{}{}
	}}
	r := newRig(t, Config{SendBuffer: 64 << 20}, one(h))
	p := r.websocket()
	defer p.close()
	join(t, p)
	for i := range events {
		p.send(fmt.Sprintf(`42/chat,%d["x"]`, i))
		receive(t, "answer", answered)
	}
	for i := range events {
		if got, want := expect(t, p, "43/chat,"), fmt.Sprintf(`43/chat,%d["%s"]`, i, text(i)); got != want {
			t.Fatalf("event %d was answered %.40q", i, got)
		}
	}
}
