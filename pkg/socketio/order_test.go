package socketio

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// orderSize is how many sockets send how many events each. `make order` sets the variable for the full
// size, which is more than the suite should take on a busy machine.
func orderSize() (sockets, events int) {
	if os.Getenv("DOZAAR_ORDER") == "full" {
		return 200, 1000
	}
	return 20, 500
}

// noPings leaves the heartbeat out, however slow the machine: a pong would be a second POST at a time,
// which ends a session.
var noPings = Config{PingInterval: time.Hour}

// sequence is a handler that requires each socket's events to come as 0, 1, 2 … and emits each back.
type sequence struct {
	script
	t    *testing.T
	mu   sync.Mutex
	next map[string]int
}

func newSequence(t *testing.T) *sequence {
	q := &sequence{t: t, next: make(map[string]int)}
	q.event = func(_ context.Context, s *Socket, e Event) {
		q.mu.Lock()
		want := q.next[s.ID()]
		q.next[s.ID()]++
		q.mu.Unlock()
		if got := string(e.Args[0]); got != strconv.Itoa(want) && !q.t.Failed() {
			q.t.Errorf("event %s in place of %d", got, want)
		}
		_ = s.Emit("n", e.Args[0])
	}
	return q
}

// heardAll requires that so many sockets sent so many events each, and none more.
func (q *sequence) heardAll(sockets, events int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.next) != sockets {
		q.t.Errorf("%d sockets sent anything, want %d", len(q.next), sockets)
	}
	for id, n := range q.next {
		if n != events && !q.t.Failed() {
			q.t.Errorf("%d events of %s were handled, want %d", n, id, events)
		}
	}
}

// numbers requires packets to be the events 0, 1, 2 … up to n, and sees no other.
type numbers struct {
	t      *testing.T
	next   int
	events int
}

func (n *numbers) take(packet string) (done bool) {
	if !strings.HasPrefix(packet, "42") {
		return false
	}
	if want := fmt.Sprintf(`42["n",%d]`, n.next); packet != want && !n.t.Failed() {
		n.t.Errorf("got %s, want %s", packet, want)
	}
	n.next++
	return n.next == n.events
}

func event(n int) string { return fmt.Sprintf(`42["n",%d]`, n) }

// bursts yields from…to in bursts of different lengths.
func bursts(from, to int, send func(packets ...string)) {
	for n, size := from, 1; n < to; size = size%13 + 1 {
		var packets []string
		for ; n < to && len(packets) < size; n++ {
			packets = append(packets, event(n))
		}
		send(packets...)
	}
}

func inParallel(n int, f func()) {
	var all sync.WaitGroup
	for range n {
		all.Go(f)
	}
	all.Wait()
}

func TestOrder(t *testing.T) {
	orderSockets, orderEvents := orderSize()
	overBoth(t, func(t *testing.T, open func(*rig) peer) {
		q := newSequence(t)
		r := newRig(t, noPings, map[string]Handler{"/": q})
		inParallel(orderSockets, func() {
			p := open(r)
			p.send("40")
			expect(t, p, "40")
			var sending sync.WaitGroup
			sending.Go(func() { bursts(0, orderEvents, p.send) })
			for n := (numbers{t: t, events: orderEvents}); ; {
				packet, err := p.next()
				if err != nil {
					t.Errorf("after %d events: %v", n.next, err)
					break
				}
				if n.take(packet) {
					break
				}
			}
			sending.Wait()
			p.close()
		})
		q.heardAll(orderSockets, orderEvents)
	})
}

// TestOrderAcrossUpgrade sends and receives all the while: some by polling, the rest by websocket.
func TestOrderAcrossUpgrade(t *testing.T) {
	orderSockets, orderEvents := orderSize()
	q := newSequence(t)
	r := newRig(t, noPings, map[string]Handler{"/": q})
	var which sync.Mutex
	turn := 0
	inParallel(orderSockets, func() {
		which.Lock()
		turn++
		change := turn * orderEvents / (orderSockets + 1) // each at another event
		which.Unlock()

		p := r.polling()
		p.send("40")
		expect(t, p, "40")
		n := numbers{t: t, events: orderEvents}
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() { // polls as a client does, until it is to pause
			defer close(stopped)
			for {
				packets, err := p.poll()
				if err != nil {
					t.Errorf("poll: %v", err)
					return
				}
				for _, packet := range packets {
					n.take(packet)
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		}()
		bursts(0, change, p.send)
		ws := p.probe()
		close(stop)
		<-stopped
		ws.send("5")
		var sending sync.WaitGroup
		sending.Go(func() { bursts(change, orderEvents, ws.send) })
		for n.next < orderEvents {
			packet, err := ws.next()
			if err != nil {
				t.Errorf("after %d events: %v", n.next, err)
				break
			}
			n.take(packet)
		}
		sending.Wait()
		ws.close()
	})
	q.heardAll(orderSockets, orderEvents)
}

// TestFirstEvent sends events in one go with CONNECT: none may be lost, none may come before Connected.
func TestFirstEvent(t *testing.T) {
	overBoth(t, func(t *testing.T, open func(*rig) peer) {
		var mu sync.Mutex
		connected := make(map[string]bool)
		h := newSequence(t)
		h.connected = func(_ context.Context, s *Socket) {
			mu.Lock()
			connected[s.ID()] = true
			mu.Unlock()
		}
		event0 := h.event
		h.event = func(ctx context.Context, s *Socket, e Event) {
			mu.Lock()
			if !connected[s.ID()] {
				t.Error("an event before Connected")
			}
			mu.Unlock()
			event0(ctx, s, e)
		}
		r := newRig(t, noPings, map[string]Handler{"/": h})
		orderSockets, _ := orderSize()
		inParallel(orderSockets, func() {
			for range 10 {
				p := open(r)
				p.send("40", event(0), event(1), event(2))
				expect(t, p, "40{")
				for i := range 3 {
					expect(t, p, event(i))
				}
				p.close()
			}
		})
	})
}
