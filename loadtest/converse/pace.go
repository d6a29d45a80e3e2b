package converse

import (
	"cmp"
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/dozaar/dozaar/loadtest/bench"
)

// pace begins something rate times a second for as long as told, at moments that do not depend on how the ones
// before went, and tells each when it was due. It returns how many there were.
func pace(rate float64, length time.Duration, begin func(due time.Time) error) (int, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	count := int(rate * length.Seconds())
	start := time.Now()
	for i := range count {
		due := start.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		bench.SleepUntil(context.Background(), due)
		if err := begin(due); err != nil {
			return i, err
		}
	}
	return count, nil
}

// latencies are times from when something was due, to three digits.
type latencies struct {
	mu sync.Mutex
	h  *hdrhistogram.Histogram // of microseconds
}

func newLatencies() *latencies {
	return &latencies{h: hdrhistogram.New(1, int64(10*time.Minute/time.Microsecond), 3)}
}

func (l *latencies) since(due time.Time) {
	took := time.Since(due).Microseconds()
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.h.RecordValue(max(1, took)) // all that can be waited for is in its range
}

func (l *latencies) count() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.h.TotalCount()
}

// Quantiles are milliseconds.
type Quantiles struct {
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

func (l *latencies) quantiles() Quantiles {
	l.mu.Lock()
	defer l.mu.Unlock()
	ms := func(micros int64) float64 { return float64(micros) / 1000 }
	return Quantiles{ms(l.h.ValueAtQuantile(50)), ms(l.h.ValueAtQuantile(99)), ms(l.h.ValueAtQuantile(99.9)), ms(l.h.Max())}
}

// gate counts what is under way, and tells when nothing is, or nothing has moved for too long.
type gate struct {
	under, done atomic.Int64
}

func (g *gate) enter() { g.under.Add(1) }
func (g *gate) leave() { g.done.Add(1); g.under.Add(-1) }

// stalled is after how long without any news what is still to come counts as lost.
const stalled = 20 * time.Second

// drain waits for what is under way and answers how much of it never came.
func (g *gate) drain() (lost int64) {
	last, since := int64(-1), time.Now()
	for g.under.Load() > 0 {
		if now := g.done.Load(); now != last {
			last, since = now, time.Now()
		}
		if time.Since(since) > stalled {
			return g.under.Load()
		}
		time.Sleep(time.Millisecond)
	}
	return 0
}

// Order is what a child is asked to do: so many a second for so long, or, where PerSecond is 0, as many as keep
// Window of them under way.
type Order struct {
	PerSecond float64 `json:"perSecond,omitempty"`
	Seconds   float64 `json:"seconds"`
	Window    int     `json:"window"`
	Bytes     int     `json:"bytes,omitempty"`   // of each message's text; 0: a hundred
	Returns   bool    `json:"returns,omitempty"` // recipients whose connection ends come back, to the server with the senders
}

func (o Order) text() int { return cmp.Or(o.Bytes, textBytes) }

// Length is how long.
func (o Order) Length() time.Duration { return time.Duration(o.Seconds * float64(time.Second)) }

// Outcome is how it went.
type Outcome struct {
	Count   int64     `json:"count"`
	Lost    int64     `json:"lost"`
	Seconds float64   `json:"seconds"` // until the last was done
	Took    Quantiles `json:"took"`
}

// PerSecond is what was reached.
func (o Outcome) PerSecond() float64 { return float64(o.Count-o.Lost) / o.Seconds }

// MostUnderWay bounds a paced floor that cannot keep up. It goes on being measured from when things were due.
const MostUnderWay = 20_000

// Drive has something done as ordered. begin starts one of them and calls done once, from wherever it likes.
func Drive(o Order, begin func(done func(error))) (Outcome, error) {
	var (
		under  gate
		took   = newLatencies()
		failed = make(chan error, 1)
		last   atomic.Int64 // when the last one was done
		start  = time.Now()
		places = make(chan struct{}, MostUnderWay)
	)
	if o.PerSecond == 0 {
		places = make(chan struct{}, o.Window)
	}
	one := func(due time.Time) error {
		places <- struct{}{}
		under.enter()
		begin(func(err error) {
			if err != nil {
				select {
				case failed <- err:
				default:
				}
			}
			took.since(due)
			last.Store(int64(time.Since(start)))
			under.leave()
			<-places
		})
		select {
		case err := <-failed:
			return err
		default:
			return nil
		}
	}
	var count int
	var err error
	if o.PerSecond > 0 {
		count, err = pace(o.PerSecond, o.Length(), one)
	} else {
		for ; err == nil && time.Since(start) < o.Length(); count++ {
			err = one(time.Now())
		}
	}
	lost := under.drain()
	if err == nil {
		select {
		case err = <-failed:
		default:
		}
	}
	return Outcome{int64(count), lost, time.Duration(last.Load()).Seconds(), took.quantiles()}, err
}
