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

func TestJoiningAndLeavingForEver(t *testing.T) {
	var joined atomic.Int64
	r := newRig(t, Config{}, one(&script{connected: func(context.Context, *Socket) { joined.Add(1) }}))
	p := r.websocket()
	defer p.close()
	for range maxTries + 1 {
		p.send("40/chat,")
		p.send("41/chat,")
	}
	for { // what waits to be sent goes with the connection, so how much of it arrives is chance
		if _, err := p.next(); err != nil {
			break
		}
	}
	if got := joined.Load(); got != maxTries {
		t.Errorf("joined %d times, want %d", got, maxTries)
	}
}

// TestRefusedForEver counts refusals over a connection's whole life, whatever it joins in between.
func TestRefusedForEver(t *testing.T) {
	r := newRig(t, Config{}, one(echoed()))
	p := r.websocket()
	defer p.close()
	for range maxRefused {
		p.send("40/nowhere,")
		expect(t, p, "44/nowhere,")
		join(t, p)
		p.send("41/chat,")
	}
	p.send("40/nowhere,")
	expect(t, p, "44/nowhere,")
	if code := expectEnd(t, p); code != websocket.CloseProtocolError {
		t.Errorf("close code %d", code)
	}
}
