package socketio

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestBatchesOfAShutdown(t *testing.T) {
	for name, c := range map[string]struct {
		batch      int
		over, left time.Duration // left: what the context leaves; 0: any time
		sessions   int
		want       int
	}{
		"as configured":                        {250, 0, 0, 10_000, 250},
		"little time":                          {250, 0, 4 * time.Second, 10_000, 500},
		"over ten seconds":                     {250, 10 * time.Second, 0, 10_000, 100},
		"over ten seconds, of which four left": {250, 10 * time.Second, 4 * time.Second, 10_000, 500},
		"few":                                  {250, 10 * time.Second, 0, 7, 1},
		"none":                                 {250, 10 * time.Second, 0, 0, 1},
	} {
		s := New(Config{ShutdownBatch: c.batch, ShutdownOver: c.over, ShutdownPause: 100 * time.Millisecond})
		ctx := context.Background()
		if c.left > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, c.left+50*time.Millisecond)
			defer cancel()
		}
		if got := s.batchSize(ctx, c.sessions); got != c.want {
			t.Errorf("%s: %d at a time, want %d", name, got, c.want)
		}
	}
}

// TestShutdownWaitsForNobodyWhoLeft ends a server of which all clients leave by themselves meanwhile: their turns are left out.
func TestShutdownWaitsForNobodyWhoLeft(t *testing.T) {
	r := newRig(t, Config{ShutdownBatch: 1, ShutdownPause: time.Second}, one(echoed()))
	sids := make([]string, 50) // turns of half a minute
	for i := range sids {
		_, sids[i], _ = r.handshake(nil)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.server.Shutdown(context.Background()) }()
	eventually(t, "the server closes", r.server.closing)
	for _, sid := range sids {
		r.request(http.MethodPost, "transport=polling&sid="+sid, "1")
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("it waits for those who left")
	}
}

// TestShutdownHurriesWhoWaitsForAClient ends a server while a handler waits for a client that takes nothing.
func TestShutdownHurriesWhoWaitsForAClient(t *testing.T) {
	waits, results := make(chan struct{}), make(chan error, 2)
	h := &script{event: func(_ context.Context, s *Socket, _ Event) {
		_ = s.Emit("x", strings.Repeat("x", 1000))
		close(waits)
		results <- s.Drain(context.Background(), 100)
		results <- s.Drain(context.Background(), 100)
	}}
	r := newRig(t, Config{}, one(h))
	p := r.polling()
	join(t, p)
	go p.send(`42/chat,["go"]`)
	receive(t, "event", waits)
	r.shutdown() // fails where it takes too long
	for range 2 {
		if err := receive(t, "Drain", results); !errors.Is(err, ErrClosed) {
			t.Errorf("Drain: %v", err)
		}
	}
}
