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
		for range 100 * connects.Burst {
			p.send("40/chat,", "41/chat,")
		}
	}()
	for { // what waits to be sent goes with the connection, so how much of it arrives is chance
		if _, err := p.next(); err != nil {
			break
		}
	}
	most := int64(connects.Burst) + int64(time.Since(begun).Seconds()*connects.PerSecond) + 1
	if got := joined.Load(); got < int64(connects.Burst) || got > most {
		t.Errorf("joined %d times, want %d to %d", got, connects.Burst, most)
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
	least, most := connects.Burst/refusedCost, (connects.Burst+int(time.Since(begun).Seconds()*connects.PerSecond))/refusedCost+1
	if refused < least || refused > most {
		t.Errorf("refused %d times, want %d to %d", refused, least, most)
	}
}
