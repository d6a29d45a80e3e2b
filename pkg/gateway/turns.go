package gateway

import (
	"context"
	"math"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"github.com/dozaar/dozaar/pkg/chat"
)

// turnPatience is how long a join waits for a turn before it is told to come again.
const turnPatience = 10 * time.Second

// The pace is looked at this often. It goes down by so much while the store's answers take paceSlow times what they take when it is
// quiet, and else up again, between two bounds.
const (
	paceLook    = 100 * time.Millisecond
	paceDown    = 0.8
	paceUp      = 1.05
	paceSlow    = 1.5
	paceFine    = time.Millisecond // what takes less is as good: an embedded store that takes three tenths in place of one is not slow
	paceLeast   = 200              // a second
	paceMost    = 10_000
	paceSamples = 32        // the mean is about that of the last so many
	paceForget  = time.Hour // in which what is quiet may become e times as much
)

// turns is who among those who join may ask Redis and the store: after a deploy everybody joins again at once, and live
// messages are not to stand behind that. There are so many at once and, as the store slows down, so many a second.
type turns struct {
	atOnce *semaphore.Weighted
	burst  int // of the pace, once it is known what is quiet
	pace   *rate.Limiter

	mu     sync.Mutex // guards what follows
	mean   float64    // of the logarithms of what answers of the store took: a few that take very long say little
	quiet  float64    // the least that mean has been, forgotten slowly
	heard  int        // answers
	looked time.Time  // at the pace
	seen   int        // answers that were heard then
}

// newTurns begins with the least pace, one after the other: where everybody comes at once to a gateway that has just started,
// the first answers would else be slow already, and pass for those of a quiet store.
func newTurns(atOnce int) *turns {
	return &turns{atOnce: semaphore.NewWeighted(int64(atOnce)), burst: atOnce, pace: rate.NewLimiter(paceLeast, 1)}
}

// answered notes what an answer of the store took. All of them are to the same question. One that failed says at most that
// the store is slow: a refusal is fast, and so is a client that leaves in the middle.
func (t *turns) answered(took time.Duration, failed error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	log := math.Log(max(took, paceFine).Seconds())
	if failed != nil && (t.heard == 0 || log < t.mean) {
		return
	}
	t.heard++
	t.mean += (log - t.mean) / float64(min(t.heard, paceSamples))
	if t.heard <= paceSamples {
		t.quiet = t.mean
	}
	if t.heard == paceSamples {
		t.pace.SetBurst(t.burst)
	}
	t.quiet = min(t.quiet, t.mean)
	passed := time.Since(t.looked)
	if passed < paceLook {
		return
	}
	t.quiet += passed.Hours() / paceForget.Hours()
	limit := t.pace.Limit()
	if t.mean > t.quiet+math.Log(paceSlow) {
		limit = max(paceLeast, paceDown*min(limit, rate.Limit(float64(t.heard-t.seen)/passed.Seconds())))
	} else {
		limit = min(paceMost, paceUp*limit)
	}
	t.pace.SetLimit(limit)
	t.looked, t.seen = time.Now(), t.heard
}

// inTurn runs what a join asks of Redis and the store when it is its turn. A turn is not kept while a client is waited for.
func (g *Gateway) inTurn(ctx context.Context, step func() error) error {
	if err := g.awaitTurn(ctx); err != nil {
		return err
	}
	defer g.turns.atOnce.Release(1)
	return step()
}

func (g *Gateway) awaitTurn(ctx context.Context) error {
	g.metrics.joinsWaiting.Inc()
	defer g.metrics.joinsWaiting.Dec()
	wait, cancel := context.WithTimeout(ctx, turnPatience)
	defer cancel()
	err := g.turns.atOnce.Acquire(wait, 1)
	if err == nil {
		if err = g.turns.pace.Wait(wait); err != nil {
			g.turns.atOnce.Release(1)
		}
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil: // the client has left
		return ctx.Err()
	}
	return chat.ErrUnavailable
}
