package socketio

import (
	"context"
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
