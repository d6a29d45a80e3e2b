package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/socketio"
)

func connectPacket(u chat.User) socketio.Handshake {
	payload, err := json.Marshal(obj{"token": u.ID.String() + " " + u.Username})
	if err != nil {
		panic(err)
	}
	return socketio.Handshake{Auth: payload}
}

// TestSocketsPerUserAtOnce authenticates far more than are allowed before any of them is connected.
func TestSocketsPerUserAtOnce(t *testing.T) {
	w := newWorld(t).start()
	w.Limits.SocketsPerUser = 5
	bea, sam := newUser("Bea"), newUser("Sam")
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex
		in      []*session
		refused int
	)
	for range 50 {
		wg.Go(func() {
			user, err := w.Authenticate(context.Background(), connectPacket(bea))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				in = append(in, user.(*session))
				return
			}
			if r, ok := errors.AsType[*socketio.Refusal](err); !ok || r.Data.(refusalData).Code != chat.CodeRateLimited {
				t.Errorf("refused with %v", err)
			}
			refused++
		})
	}
	wg.Wait()
	if len(in) != 5 || refused != 45 {
		t.Fatalf("%d in, %d refused", len(in), refused)
	}
	if _, err := w.Authenticate(context.Background(), connectPacket(sam)); err != nil {
		t.Errorf("another user: %v", err)
	}
	for _, s := range in {
		w.connected(s, &fakeConn{})
	}
	w.disconnected(in[0])
	if _, err := w.Authenticate(context.Background(), connectPacket(bea)); err != nil {
		t.Errorf("once one has left: %v", err)
	}
	if _, err := w.Authenticate(context.Background(), connectPacket(bea)); err == nil {
		t.Error("one more than have left")
	}
	for _, s := range in[1:] {
		w.disconnected(s)
	}
	if n := w.sessions.admitted[bea.ID]; n != 1 {
		t.Errorf("%d places are still taken, want that of the one not connected yet", n)
	}
}

// TestUnknownEventsAreLimited counts them together, whatever they are called.
func TestUnknownEventsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s, c := w.connect(newUser("Bea"))
		codes := map[any]int{}
		for i := range 500 {
			codes[w.do(s, "event"+string(rune('a'+i%26)), obj{})["code"]]++
		}
		if codes["invalid"] != w.Limits.Unknown.Burst || codes["rate_limited"] != 500-w.Limits.Unknown.Burst {
			t.Errorf("answered %v", codes)
		}
		if c.closedFor() != "rate limited" {
			t.Errorf("closed for %q", c.closedFor())
		}
		if len(s.buckets) != 1 {
			t.Errorf("%d buckets: names of the client's choice are kept", len(s.buckets))
		}
		w.disconnected(s)
	})
}
