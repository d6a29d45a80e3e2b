package gateway

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// How long a message took is counted once for each room that hands it to anybody: not for nobody, not for a
// replay, with the time that a gap took, and never as less than nothing.
func TestSendToDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t).start()
		ann, bob := newUser("Ann"), newUser("Bob")
		room := w.conversation(ann, bob)
		check := func(what string, count uint64, sum float64) {
			t.Helper()
			synctest.Wait()
			var m dto.Metric
			if err := w.metrics.latency.Write(&m); err != nil {
				t.Fatal(err)
			}
			if h := m.GetHistogram(); h.GetSampleCount() != count || math.Abs(h.GetSampleSum()-sum) > 0.01 {
				t.Errorf("%s: %d messages took %.3f s together; want %d, %.3f", what, h.GetSampleCount(), h.GetSampleSum(), count, sum)
			}
		}
		w.relay(w.put(room, ann, "nobody is here"))
		check("an empty room", 0, 0)
		w.join(ann, room)
		w.join(bob, room)
		check("two who join", 0, 0)

		m := w.put(room, ann, "one")
		time.Sleep(2 * time.Second)
		w.relay(m)
		check("a room of two", 1, 2)
		w.relay(m)
		check("the same again", 1, 2)

		w.put(room, ann, "this one's envelope is lost")
		time.Sleep(time.Second)
		last := w.put(room, bob, "three")
		time.Sleep(time.Second)
		w.relay(last)
		check("a gap", 3, 2+2+1)

		ahead := w.put(room, ann, "by a clock that is ahead")
		ahead.CreatedAt = ahead.CreatedAt.Add(time.Hour)
		w.relay(ahead)
		check("a clock that is ahead", 4, 5)
	})
}
