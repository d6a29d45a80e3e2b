package load

import (
	"fmt"
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/uuid"

	"github.com/dozaar/dozaar/loadtest/history"
)

// Latency is how long messages took, from when they were due: faults and waiting for a connection count.
type Latency struct {
	Acked     Quantiles `json:"acked"`     // until the acknowledgement
	Delivered Quantiles `json:"delivered"` // until a device that was in the room was shown it, each device by itself; neither replays nor pages count
}

// Quantiles are of one kind of waiting.
type Quantiles struct {
	Count               int64 `json:"count"`
	P50, P90, P99, P999 time.Duration
	Max                 time.Duration `json:"max"`
	slots               *hdrhistogram.Histogram
}

// Measure reads the latencies out of a history.
func Measure(source history.Source) (Latency, error) {
	type key struct {
		conversation, sender, client uuid.UUID
		body                         history.Body
	}
	type place struct {
		conversation uuid.UUID
		device       string
	}
	due := map[key]time.Duration{}
	replayed := map[place]int64{} // up to where the last join found messages
	var l Latency
	for e, err := range source() {
		if err != nil {
			return l, err
		}
		k := key{e.Conversation, e.User, e.Client, e.Body}
		switch e.Kind {
		case history.Send:
			if _, again := due[k]; !again {
				due[k] = e.At - e.Due
			}
		case history.Answer:
			if at, sent := due[k]; sent && e.Outcome == history.OK {
				l.Acked.add(e.At - at)
			}
		case history.Joined:
			replayed[place{e.Conversation, e.Device}] = e.LastSeq
		case history.Shown:
			k.sender = e.Sender
			if at, sent := due[k]; sent && e.Seq > replayed[place{e.Conversation, e.Device}] {
				l.Delivered.add(e.At - at)
			}
		}
	}
	l.Acked.finish()
	l.Delivered.finish()
	return l, nil
}

func (q *Quantiles) add(d time.Duration) {
	if q.slots == nil {
		q.slots = hdrhistogram.New(1, int64(time.Hour/time.Microsecond), 3)
	}
	_ = q.slots.RecordValue(max(1, min(d, time.Hour).Microseconds()))
}

func (q *Quantiles) finish() {
	if q.slots == nil {
		return
	}
	at := func(p float64) time.Duration { return time.Duration(q.slots.ValueAtQuantile(p)) * time.Microsecond }
	q.Count, q.P50, q.P90, q.P99, q.P999, q.Max = q.slots.TotalCount(), at(50), at(90), at(99), at(99.9), at(100)
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
