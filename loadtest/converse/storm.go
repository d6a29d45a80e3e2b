package converse

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/loadtest/wire"
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

// storm cuts the connections of all recipients at once. They come back to the same server, as people who are new there.
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
	var all errgroup.Group
	for _, e := range cut {
		all.Go(func() error {
			first, tries, err := l.comeBack(e, l.crowd.Recipients, nil)
			failed.Add(tries - 1)
			if err == nil {
				took.since(first)
			}
			return err
		})
	}
	err := all.Wait()
	return Return{int64(len(cut)), failed.Load(), time.Since(start).Seconds(), took.quantiles()}, err
}

// comeBack opens a connection again that has ended, when the official client would, until that comes about. It tells when it tried first, and how often.
func (l *client) comeBack(e *ear, address string, from *position) (first time.Time, tries int64, err error) {
	backoff := wire.NewBackoff(rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))) //nolint:gosec // when, not who
	for start := time.Now(); time.Since(start) < backWithin; tries++ {
		time.Sleep(backoff.Next())
		if tries == 0 {
			first = time.Now()
		}
		if err = l.open(e.conversation, e.member, address, from); err == nil {
			return first, tries + 1, nil
		}
	}
	return first, tries, fmt.Errorf("not back after %s: %w", backWithin, err)
}

// cutOff has a recipient come back to the other server where that is ordered; otherwise nobody's connection should end.
func (l *client) cutOff(e *ear, why error) {
	r := l.round.Load()
	if r == nil || !r.order.Returns || e.member == 0 {
		l.fault(refused, "a connection ended: %v", why)
		return
	}
	l.absent.Add(1)
	defer l.absent.Add(-1)
	_ = e.conn.Close()
	began := time.Now()
	if _, _, err := l.comeBack(e, l.crowd.Senders, &e.at); err != nil {
		l.fault(refused, "%v", err)
		return
	}
	r.away.since(began)
}
