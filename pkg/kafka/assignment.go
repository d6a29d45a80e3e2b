package kafka

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

// assignment is one assignment of one partition: a bounded queue that the poll loop fills, and the
// goroutine that feeds the worker from it. A full queue pauses the partition's fetching, so the poll
// loop never waits for a worker.
type assignment struct {
	partition
	consumer  *Consumer
	client    *kgo.Client
	worker    Worker
	lag       prometheus.Gauge
	processed prometheus.Counter

	ctx    context.Context // ends when the partition is taken away
	cancel context.CancelFunc
	done   chan struct{} // closed when run has returned
	wake   chan struct{} // one token: the queue has something

	mu        sync.Mutex // guards what follows; nothing else is locked while it is held, but the client's own
	queue     []*kgo.Record
	bytes     int
	paused    bool
	end       int64           // of the log, as last seen
	finished  kgo.EpochOffset // everything below is done
	committed int64           // what was committed last; finished.Offset > committed: there is something to commit
}

func newAssignment(c *Consumer, client *kgo.Client, p partition) *assignment {
	ctx, cancel := context.WithCancel(context.Background()) // not Run's: a worker is stopped by its revocation
	return &assignment{
		partition: p,
		consumer:  c,
		client:    client,
		worker:    c.newWorker(p.topic, p.id),
		lag:       c.metrics.lag.WithLabelValues(c.cfg.Group, p.topic, strconv.Itoa(int(p.id))),
		processed: c.metrics.processed.WithLabelValues(c.cfg.Group, p.topic),
		ctx:       ctx,
		cancel:    cancel,
		done:      make(chan struct{}),
		wake:      make(chan struct{}, 1),
		finished:  kgo.EpochOffset{Epoch: -1, Offset: -1},
		committed: -1,
	}
}

// startAt tells where the group's committed offset is, before the first record comes.
func (a *assignment) startAt(committed kgo.EpochOffset, end int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.finished, a.committed, a.end = committed, committed.Offset, end
	a.showLag()
}

func (a *assignment) enqueue(records []*kgo.Record, end int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queue = append(a.queue, records...)
	for _, r := range records {
		a.bytes += size(r)
	}
	a.end = max(a.end, end)
	a.showLag()
	if !a.paused && (len(a.queue) >= a.consumer.cfg.MaxQueued || a.bytes >= a.consumer.cfg.MaxQueuedBytes) {
		a.paused = true
		a.client.PauseFetchPartitions(map[string][]int32{a.topic: {a.id}})
	}
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// take gives the next records in order, or none, and lets fetching go on when half of the queue is free.
func (a *assignment) take() []*kgo.Record {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := min(len(a.queue), a.consumer.cfg.MaxBatch)
	batch := a.queue[:n:n]
	a.queue = a.queue[n:]
	for _, r := range batch {
		a.bytes -= size(r)
	}
	if len(a.queue) == 0 {
		a.queue = nil // the array and what it points to can go
	}
	if a.paused && len(a.queue) <= a.consumer.cfg.MaxQueued/2 && a.bytes <= a.consumer.cfg.MaxQueuedBytes/2 {
		a.resume()
	}
	return batch
}

func (a *assignment) resume() {
	a.paused = false
	a.client.ResumeFetchPartitions(map[string][]int32{a.topic: {a.id}})
}

// run feeds the worker until the partition is taken away or the worker breaks its contract.
func (a *assignment) run() {
	defer close(a.done)
	defer a.leave()
	for {
		batch := a.take()
		if len(batch) == 0 {
			select {
			case <-a.wake:
				continue
			case <-a.ctx.Done():
				return
			}
		}
		if a.ctx.Err() != nil {
			return
		}
		if err := a.process(batch); err != nil {
			if a.ctx.Err() == nil {
				a.consumer.fail(fmt.Errorf("worker of %s partition %d, records from offset %d: %w", a.topic, a.id, batch[0].Offset, err))
			}
			return
		}
	}
}

func (a *assignment) process(batch []*kgo.Record) error {
	epoch := a.consumer.cfg.Epoch(a.topic)
	records := make([]Record, len(batch))
	for i, r := range batch {
		records[i] = fromClient(r, epoch)
	}
	if err := a.worker.Process(a.ctx, records); err != nil {
		return err
	}
	last := batch[len(batch)-1]
	a.mu.Lock()
	a.finished = kgo.EpochOffset{Epoch: last.LeaderEpoch, Offset: last.Offset + 1}
	a.showLag()
	a.mu.Unlock()
	a.processed.Add(float64(len(batch)))
	return nil
}

// leave undoes a pause: it would outlive this assignment.
func (a *assignment) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queue, a.bytes = nil, 0
	if a.paused {
		a.resume()
	}
}

// uncommitted gives the offset to commit, if there is a new one.
func (a *assignment) uncommitted() (kgo.EpochOffset, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.finished, a.finished.Offset > a.committed
}

func (a *assignment) committedTo(offset int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.committed = max(a.committed, offset)
}

// sawEnd updates the lag by where the log ends now.
func (a *assignment) sawEnd(end int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.end = max(a.end, end)
	a.showLag()
}

func (a *assignment) showLag() {
	if a.finished.Offset >= 0 {
		a.lag.Set(float64(max(0, a.end-a.finished.Offset)))
	}
}

func size(r *kgo.Record) int { return len(r.Key) + len(r.Value) }
