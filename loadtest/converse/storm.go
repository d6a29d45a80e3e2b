package converse

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Return is how people came back whose connections were cut.
type Return struct {
	Count   int64     `json:"count"`
	Failed  int64     `json:"failed"`  // tries that came to nothing
	Seconds float64   `json:"seconds"` // from the cut until the last one was back
	Took    Quantiles `json:"took"`    // each by itself, from its first try until it had joined
}

// backWithin is how long they try.
const backWithin = 2 * time.Minute

// storm cuts the connections of all recipients at once. They come back as the official client does: after a second, by up to half of it sooner or
// later, and after as long again where that came to nothing.
func (l *client) storm() (Return, error) {
	var cut, others []*ear
	l.mu.Lock()
	for _, e := range l.ears {
		if e.member > 0 {
			cut = append(cut, e)
		} else {
			others = append(others, e)
		}
	}
	l.ears = others
	l.mu.Unlock()
	start := time.Now()
	for _, e := range cut {
		e.end()
	}
	took := newLatencies()
	var failed atomic.Int64
	all, ctx := errgroup.WithContext(context.Background())
	for _, e := range cut {
		all.Go(func() error {
			var began time.Time
			for {
				time.Sleep(time.Second/2 + rand.N(time.Second))
				if began.IsZero() {
					began = time.Now()
				}
				err := l.open(e.conversation, e.member)
				if err == nil {
					took.since(began)
					return nil
				}
				failed.Add(1)
				if time.Since(start) > backWithin || ctx.Err() != nil {
					return fmt.Errorf("not back after %s: %w", backWithin, err)
				}
			}
		})
	}
	err := all.Wait()
	return Return{int64(len(cut)), failed.Load(), time.Since(start).Seconds(), took.quantiles()}, err
}
