package load

import (
	"fmt"
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latency is how long messages took, from when they were due: faults and waiting for a connection count.
type Latency struct {
	Acked     Quantiles `json:"acked"`     // until the acknowledgement
	Delivered Quantiles `json:"delivered"` // until a device that was in the room was shown it, each device by itself; neither replays nor pages count
}

// Quantiles are of one kind of waiting.
type Quantiles struct {
	Count int64         `json:"count"`
	P50   time.Duration `json:"p50"` // in nanoseconds, to three digits
	P90   time.Duration `json:"p90"`
	P99   time.Duration `json:"p99"`
	P999  time.Duration `json:"p999"`
	Max   time.Duration `json:"max"`
	Curve []Quantile    `json:"curve,omitempty"`
}

// Quantile is what Share of the waits were not longer than.
type Quantile struct {
	Share float64       `json:"share"`
	Took  time.Duration `json:"took"`
}

// waits are the histograms of a Latency.
type waits struct{ acked, delivered spread }

func newWaits() waits { return waits{newSpread(), newSpread()} }

// spread is a histogram of microseconds, to three digits.
type spread struct{ slots *hdrhistogram.Histogram }

func newSpread() spread {
	return spread{hdrhistogram.New(1, int64(time.Hour/time.Microsecond), 3)}
}

func (s *spread) add(d time.Duration) {
	_ = s.slots.RecordValue(max(1, min(d, time.Hour).Microseconds())) // it is in the range
}

func (s *spread) reset() { s.slots.Reset() }

// curvePoints halve, again and again, the share of those that took longer.
const curvePoints = 17

func (s *spread) quantiles(curve bool) (q Quantiles) {
	if q.Count = s.slots.TotalCount(); q.Count == 0 {
		return q
	}
	at := func(share float64) time.Duration {
		return time.Duration(s.slots.ValueAtQuantile(100*share)) * time.Microsecond
	}
	q.P50, q.P90, q.P99, q.P999, q.Max = at(0.5), at(0.9), at(0.99), at(0.999), at(1)
	for i, longer := 0, 1.0; curve && i < curvePoints && longer*float64(q.Count) >= 1; i, longer = i+1, longer/2 {
		q.Curve = append(q.Curve, Quantile{1 - longer, at(1 - longer)})
	}
	return q
}

// Print writes the latencies for people.
func (l Latency) Print(out io.Writer) {
	for _, row := range []struct {
		name string
		q    Quantiles
	}{{"acknowledged", l.Acked}, {"delivered", l.Delivered}} {
		q := row.q
		fmt.Fprintf(out, "  %-14s%d: p50 %s, p90 %s, p99 %s, p99.9 %s, most %s\n", row.name, q.Count, round(q.P50), round(q.P90), round(q.P99), round(q.P999), round(q.Max))
	}
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond / 10) }
