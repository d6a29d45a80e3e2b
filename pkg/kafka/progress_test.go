package kafka

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"
)

// Whatever gets done in whatever order, what may be committed is the lowest offset that is not done.
func TestProgressModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newProgress()
		start := rapid.Int64Range(0, 5).Draw(t, "start")
		p.startAt(kgo.EpochOffset{Offset: start})
		var offsets []int64 // of fetched records
		done := map[int64]bool{}
		epochs := map[int64]int32{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if len(offsets) == 0 || rapid.Bool().Draw(t, "fetch") {
				next := p.next + max(0, rapid.Int64Range(-3, 2).Draw(t, "hole"))
				epochs[next] = rapid.Int32Range(0, 3).Draw(t, "epoch")
				if !p.fetched(&kgo.Record{Offset: next, LeaderEpoch: epochs[next], Timestamp: time.Unix(next, 0), Value: make([]byte, 10)}) {
					t.Fatalf("record %d was not taken", next)
				}
				offsets = append(offsets, next)
			} else {
				offset := rapid.SampledFrom(offsets).Draw(t, "done")
				if fresh := p.done(offset); fresh == done[offset] {
					t.Fatalf("record %d: done now %t, before %t", offset, fresh, done[offset])
				}
				done[offset] = true
			}

			want, oldest, held := kgo.EpochOffset{Offset: start}, time.Time{}, len(offsets)-len(done)
			for _, offset := range offsets {
				if !done[offset] {
					oldest = time.Unix(offset, 0)
					break
				}
				want = kgo.EpochOffset{Epoch: epochs[offset], Offset: offset + 1}
			}
			if p.finished != want || !p.oldest().Equal(oldest) {
				t.Fatalf("finished %+v, the oldest of %v; want %+v, %v", p.finished, p.oldest(), want, oldest)
			}
			if p.held != held || p.bytes != held*(recordCost+10) {
				t.Fatalf("%d records of %d bytes are not done; want %d", p.held, p.bytes, held)
			}
		}
		if p.done(p.next) || p.fetched(&kgo.Record{Offset: p.next - 1}) && len(offsets) > 0 {
			t.Fatal("a record that was not fetched is done, or one that was is fetched again")
		}
	})
}
