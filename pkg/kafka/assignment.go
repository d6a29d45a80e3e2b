package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/dozaar/dozaar/pkg/chat"
)

// assignment is one assignment of one partition: a queue that the poll loop fills, the worker that takes
// from it, and what is done of it. When too much is held that is not done, it pauses the partition's fetching, so
// the poll loop never waits for a worker. It implements Records.
type assignment struct {
	partition
	consumer   *Consumer
	client     *kgo.Client
	worker     Worker
	lag        prometheus.Gauge
	lagSeconds prometheus.Gauge
	inFlight   prometheus.Gauge
	processed  prometheus.Counter

	ctx    context.Context // ends when the partition is taken away
	cancel context.CancelFunc
	done   chan struct{} // closed when run has returned
	wake   chan struct{} // one token: the queue has something

	mu        sync.Mutex // guards what follows; nothing else is locked while it is held, but the client's own
	queue     []*kgo.Record
	progress  progress
	paused    bool
	end       int64     // of the log, as last seen
	unfetched time.Time // since when the log is known to go on beyond what was fetched; zero: it does not
	committed int64     // what was committed last; progress.finished above it: there is something to commit
}

func newAssignment(c *Consumer, client *kgo.Client, p partition) *assignment {
	ctx, cancel := context.WithCancel(context.Background()) // not Run's: a worker is stopped by its revocation
	id := strconv.Itoa(int(p.id))
	return &assignment{
		partition:  p,
		consumer:   c,
		client:     client,
		worker:     c.newWorker(p.topic, p.id),
		lag:        c.metrics.lag.WithLabelValues(c.cfg.Group, p.topic, id),
		lagSeconds: c.metrics.lagSeconds.WithLabelValues(c.cfg.Group, p.topic, id),
		inFlight:   c.metrics.held.WithLabelValues(c.cfg.Group, p.topic, id),
		processed:  c.metrics.processed.WithLabelValues(c.cfg.Group, p.topic),
		ctx:        ctx,
		cancel:     cancel,
		done:       make(chan struct{}),
		wake:       make(chan struct{}, 1),
		progress:   newProgress(),
		committed:  -1,
	}
}

// startAt tells where the group's committed offset is, before the first record comes; one that was moved is committed anew.
func (a *assignment) startAt(committed kgo.EpochOffset, end int64, moved bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.progress.startAt(committed)
	a.committed, a.end = committed.Offset, end
	if moved {
		a.committed = -1
	}
	a.showLag()
}

var errWentBack = errors.New("the log went back below what was fetched already")

// enqueue adds fetched records. It fails where they do not follow what was fetched before.
func (a *assignment) enqueue(records []*kgo.Record, end int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range records {
		if !a.progress.fetched(r) {
			return fmt.Errorf("%s partition %d: %w: offset %d came when %d was next", a.topic, a.id, errWentBack, r.Offset, a.progress.next)
		}
	}
	a.queue = append(a.queue, records...)
	a.end = max(a.end, end)
	a.showLag()
	if !a.paused && a.holds(1) {
		a.paused = true
		a.client.PauseFetchPartitions(map[string][]int32{a.topic: {a.id}})
	}
	select {
	case a.wake <- struct{}{}:
	default:
	}
	return nil
}

// holds tells whether as much is held as the configuration allows, or that part of it. a.mu is held.
func (a *assignment) holds(part int) bool {
	cfg := &a.consumer.cfg
	full := func(n, bound int) bool { return n >= max(1, bound/part) }
	return full(a.progress.held, cfg.MaxHeld) || full(a.progress.bytes, cfg.MaxHeldBytes) || full(len(a.progress.open), cfg.MaxAhead)
}

// Take implements Records.
func (a *assignment) Take(ctx context.Context) ([]Record, error) {
	for ctx.Err() == nil {
		if batch := a.dequeue(); len(batch) > 0 {
			epoch := a.consumer.cfg.Epoch(a.topic)
			records := make([]Record, len(batch))
			for i, r := range batch {
				records[i] = fromClient(r, epoch)
			}
			return records, nil
		}
		select {
		case <-a.wake:
		case <-ctx.Done():
		}
	}
	return nil, ctx.Err()
}

func (a *assignment) dequeue() []*kgo.Record {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := min(len(a.queue), a.consumer.cfg.MaxBatch)
	batch := a.queue[:n:n]
	if a.queue = a.queue[n:]; len(a.queue) == 0 {
		a.queue = nil // the array and what it points to can go
	}
	return batch
}

// Done implements Records. Fetching goes on when half of what may be held is free.
func (a *assignment) Done(positions ...chat.Position) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range positions {
		if a.progress.done(p.Offset) {
			a.processed.Inc()
		}
	}
	a.showLag()
	if a.paused && !a.holds(2) {
		a.resume()
	}
}

func (a *assignment) resume() {
	a.paused = false
	a.client.ResumeFetchPartitions(map[string][]int32{a.topic: {a.id}})
}

var errWorkerEnded = errors.New("the worker ended though nobody told it to")

// run has the worker work until the partition is taken away or the worker breaks its contract.
func (a *assignment) run() {
	defer close(a.done)
	defer a.leave()
	err := a.worker.Run(a.ctx, a)
	if a.ctx.Err() != nil {
		return
	}
	if err == nil {
		err = errWorkerEnded
	}
	a.consumer.fail(fmt.Errorf("worker of %s partition %d: %w", a.topic, a.id, err))
}

// leave undoes a pause: it would outlive this assignment.
func (a *assignment) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queue = nil
	if a.paused {
		a.resume()
	}
}

// uncommitted gives the offset to commit, if there is a new one.
func (a *assignment) uncommitted() (kgo.EpochOffset, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.progress.finished, a.progress.finished.Offset > a.committed
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

// grow updates the lag by the passing of time.
func (a *assignment) grow() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.showLag()
}

// showLag sets the gauges. How old records are that were not fetched yet cannot be known; they count from when
// we learned that they are there. a.mu is held.
func (a *assignment) showLag() {
	if a.progress.next < 0 {
		return
	}
	unfetched := max(0, a.end-a.progress.next)
	a.lag.Set(float64(unfetched + int64(a.progress.held)))
	a.inFlight.Set(float64(a.progress.held))
	switch {
	case unfetched == 0:
		a.unfetched = time.Time{}
	case a.unfetched.IsZero():
		a.unfetched = time.Now()
	}
	oldest := a.progress.oldest()
	if oldest.IsZero() {
		oldest = a.unfetched
	}
	if oldest.IsZero() {
		a.lagSeconds.Set(0)
		return
	}
	a.lagSeconds.Set(max(0, time.Since(oldest).Seconds()))
}
