package history

import (
	"fmt"
	"iter"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// steady is a history of about so many events: 500 conversations, each message sent, acknowledged and shown to
// three devices, and at last read back.
func steady(size int) Source {
	const conversations, devices = 500, 3
	return func() iter.Seq2[Event, error] {
		return func(yield func(Event, error) bool) {
			at, more := time.Duration(0), true
			tell := func(e Event) {
				at += time.Microsecond
				e.At = at
				more = more && yield(e, nil)
			}
			cid := func(c int) Event { return Event{Conversation: testID('c', c)} }
			for c := range conversations {
				e := cid(c)
				e.Kind, e.User = Admitting, testID('u', c)
				tell(e)
				for d := range devices {
					name := fmt.Sprintf("c%dd%d", c, d)
					tell(Event{Kind: Connected, Device: name, User: testID('u', c)})
					e := cid(c)
					e.Kind, e.Device, e.User, e.Recovered = Joined, name, testID('u', c), true
					tell(e)
				}
			}
			rounds := size / conversations / (devices + 3)
			message := func(c, seq int, kind Kind, device string) Event {
				e := cid(c)
				e.Kind, e.Device, e.User, e.Sender = kind, device, testID('u', c), testID('u', c)
				e.Seq, e.Body = int64(seq), Body(seq)
				e.Message, e.Client = testID('m', seq), testID('k', seq)
				e.Message[1], e.Client[1], e.Message[2], e.Client[2] = byte(c), byte(c), byte(c>>8), byte(c>>8)
				return e
			}
			for seq := 1; seq <= rounds && more; seq++ {
				for c := range conversations {
					e := message(c, seq, Send, fmt.Sprintf("c%dd0", c))
					tell(e)
					e.Kind, e.Outcome = Answer, OK
					tell(e)
					for d := range devices {
						tell(message(c, seq, Shown, fmt.Sprintf("c%dd%d", c, d)))
					}
				}
			}
			for c := range conversations {
				for seq := 1; seq <= rounds; seq++ {
					tell(message(c, seq, Stored, ""))
				}
				e := cid(c)
				e.Kind, e.LastSeq = End, int64(rounds)
				tell(e)
			}
		}
	}
}

// BenchmarkCheck shows that a check takes time in proportion to the events, and what it keeps for each message.
//
//	go test -run - -bench Check -benchtime 1x ./loadtest/history
func BenchmarkCheck(b *testing.B) {
	for _, size := range []int{100_000, 1_000_000, 10_000_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "history")
			w, err := Create(path)
			if err != nil {
				b.Fatal(err)
			}
			for e := range steady(size)() {
				w.Record(e)
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				runtime.GC()
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				began := time.Now()
				c := NewChecker(Options{})
				for e, err := range File(path)() {
					if err != nil {
						b.Fatal(err)
					}
					c.Add(e)
				}
				v := c.Verdict()
				took := time.Since(began)
				runtime.GC()
				runtime.ReadMemStats(&after)
				if !v.Clean() {
					b.Fatal(v.Findings)
				}
				b.ReportMetric(float64(took.Nanoseconds())/float64(v.Counts.Events), "ns/event")
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(v.Counts.Stored), "B/message")
				runtime.KeepAlive(c)
			}
		})
	}
}
