package socketio

import (
	"context"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// A client that forgets the namespace is told so, and leaves nothing behind: the library would serve
// "/" by itself, to anybody.
func TestANamespaceThatNobodyServes(t *testing.T) {
	for _, name := range []string{"", "/other,"} {
		overBoth(t, func(t *testing.T, open func(*rig) peer) {
			r := newRig(t, Config{ConnectTimeout: 200 * time.Millisecond}, one(&script{}))
			before := runtime.NumGoroutine()
			for range 20 {
				p := open(r)
				p.send("40" + name)
				if got, _ := p.next(); !strings.Contains(got, "Invalid namespace") {
					t.Errorf("40%s is answered %q", name, got)
				}
				p.close()
			}
			eventually(t, "all connections and goroutines are gone", func() bool {
				return r.server.Stats().Connections() == 0 && r.server.newcomers.count() == 0 && runtime.NumGoroutine() <= before+5
			})
		})
	}
}

// TestJoiningAndLeaving ends a connection that does nothing else, and no sooner than after what is allowed.
func TestJoiningAndLeaving(t *testing.T) {
	var joined atomic.Int64
	r := newRig(t, Config{}, one(&script{connected: func(context.Context, *Socket) { joined.Add(1) }}))
	p := r.websocket()
	defer p.close()
	begun := time.Now()
	go func() {
		for range 100 * connectBurst {
			p.send("40/chat,", "41/chat,")
		}
	}()
	for { // what waits to be sent goes with the connection, so how much of it arrives is chance
		if _, err := p.next(); err != nil {
			break
		}
	}
	most := connectBurst + int64(time.Since(begun)/connectEvery) + 1
	if got := joined.Load(); got < connectBurst || got > most {
		t.Errorf("joined %d times, want %d to %d", got, connectBurst, most)
	}
}

// TestRefusedAgainAndAgain counts refusals whatever is joined in between.
func TestRefusedAgainAndAgain(t *testing.T) {
	r := newRig(t, Config{}, one(echoed()))
	p := r.websocket()
	defer p.close()
	begun := time.Now()
	refused := 0
	for ; ; refused++ {
		p.send("40/nowhere,")
		if packet, err := p.next(); err != nil {
			if !websocket.IsCloseError(err, websocket.CloseProtocolError) {
				t.Error(err)
			}
			break
		} else if !strings.HasPrefix(packet, "44/nowhere,") {
			t.Errorf("got %q", packet)
		}
	}
	least, most := connectBurst/refusedCost, (connectBurst+int(time.Since(begun)/connectEvery))/refusedCost+1
	if refused < least || refused > most {
		t.Errorf("refused %d times, want %d to %d", refused, least, most)
	}
}

func TestPace(t *testing.T) {
	now := time.Now()
	var p pace
	take := func(tokens, want int) {
		t.Helper()
		got := 0
		for got <= connectBurst && p.take(now, tokens) {
			got++
		}
		if got != want {
			t.Errorf("%d times, want %d", got, want)
		}
	}
	take(1, connectBurst)
	now = now.Add(connectEvery)
	take(1, 1)
	now = now.Add(30 * connectEvery)
	take(10, 3)
	now = now.Add(24 * time.Hour)
	take(1, connectBurst) // and not what a day would give
	for range 1000 {      // a page that changes its view all day
		now = now.Add(connectEvery)
		take(1, 1)
	}
}
