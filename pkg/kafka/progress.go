package kafka

import (
	"sort"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// progress is how far an assignment has come: which of its fetched records are done, though they get done in
// any order, and so below which offset all are. It is not safe for concurrent use.
type progress struct {
	open []openRecord // in the order of their offsets, from the lowest that is not done on
	next int64        // the offset after the last record that was fetched, or the first to be fetched; -1: unknown

	finished    kgo.EpochOffset // all below it is done
	held, bytes int             // records that are not done, and their sizes
}

// openRecord is a fetched record that is not done, or has one below it that is not.
type openRecord struct {
	offset int64
	epoch  int32
	size   int
	time   time.Time
	done   bool
}

func newProgress() progress {
	return progress{next: -1, finished: kgo.EpochOffset{Epoch: -1, Offset: -1}}
}

// startAt sets the offset that the assignment starts from.
func (p *progress) startAt(committed kgo.EpochOffset) {
	p.finished, p.next = committed, committed.Offset
}

// fetched adds a record. It does not where the log went back: a record below one that was fetched already.
func (p *progress) fetched(r *kgo.Record) bool {
	if r.Offset < p.next {
		return false
	}
	o := openRecord{offset: r.Offset, epoch: r.LeaderEpoch, size: size(r), time: r.Timestamp}
	p.open = append(p.open, o)
	p.next = r.Offset + 1
	p.held++
	p.bytes += o.size
	return true
}

// done marks a record and tells whether it was one that was not done.
func (p *progress) done(offset int64) bool {
	i := sort.Search(len(p.open), func(i int) bool { return p.open[i].offset >= offset })
	if i == len(p.open) || p.open[i].offset != offset || p.open[i].done {
		return false
	}
	p.open[i].done = true
	p.held--
	p.bytes -= p.open[i].size
	n := 0
	for n < len(p.open) && p.open[n].done {
		n++
	}
	if n > 0 {
		last := p.open[n-1]
		p.finished = kgo.EpochOffset{Epoch: last.epoch, Offset: last.offset + 1}
		p.open = p.open[n:]
	}
	if len(p.open) == 0 {
		p.open = nil // the array can go
	}
	return true
}

// oldest is the time of the lowest record that is not done; zero where there is none.
func (p *progress) oldest() time.Time {
	if len(p.open) == 0 {
		return time.Time{}
	}
	return p.open[0].time
}

// recordCost is about what a record takes beside its bytes.
const recordCost = 256

func size(r *kgo.Record) int {
	n := recordCost + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}
