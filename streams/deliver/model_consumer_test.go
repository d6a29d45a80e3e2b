package deliver

import (
	"context"
	"time"

	"github.com/dozaar/dozaar/pkg/kafka"
)

// outcome is what the scheduler lets a call of a worker come to.
type outcome struct {
	verdict verdict
	// bits chooses, for each single write of a call that fails or is repeated, what becomes of it.
	bits int
}

type verdict int

const (
	succeed      verdict = iota
	succeedTwice         // and some of its writes come again later
	fail                 // nothing happened
	tear                 // some of its writes are done, some come later, some never
	die                  // the worker's context has ended
)

// simConsumer is one process with one assignment. Its worker runs in a goroutine of its own, but only
// between two calls that leave the process: at each it waits for the scheduler. So one thing happens at a
// time, in an order that the scheduler draws.
type simConsumer struct {
	w      *simWorld
	worker *messageWorker
	cancel context.CancelFunc
	ctx    context.Context

	at        int64 // the offset up to which it is done
	dead      bool  // its context has ended
	asleep    bool  // stopped wherever it is, to wake up later and go on
	parked    chan string
	resume    chan outcome
	finished  chan error
	waitingAt string // the call at which it is parked; "" between batches
	batch     []kafka.Record
	inherited bool // for a missing rule: its memory is an earlier consumer's
	mishaps   int  // how many decodings will fail before one succeeds
}

func newSimConsumer(w *simWorld, at int64) *simConsumer {
	c := &simConsumer{
		w: w, at: at, parked: make(chan string), resume: make(chan outcome), finished: make(chan error),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	var p port = simPort{c}
	if w.broken.port != nil {
		p = w.broken.port(simPort{c})
	}
	cfg := Config{
		Store: p, Owners: p, Sender: p, DeadLetters: p, Decoder: p,
		Logger: w.logger, Clock: func() time.Time { return simTime },
		MembersMaxAge: time.Nanosecond, RelayPatience: time.Nanosecond, RetryFirst: 1, RetryMax: 1,
		Remember: 2, Reads: 1,
	}.withDefaults()
	d := &Deliver{Config: cfg, log: cfg.Logger, metrics: w.metrics, members: newMemberCache(cfg.MembersMaxAge, cfg.Clock)}
	c.worker = newMessageWorker(d)
	return c
}

// start gives the worker a batch and lets it run to its first call.
func (c *simConsumer) start(batch []kafka.Record) {
	c.batch = batch
	if c.w.broken.memoryAcrossJumps || c.inherited {
		c.worker.numbers.next, c.inherited = batch[0].Position, false
	}
	if c.w.broken.commitFirst {
		c.w.commit(batch[len(batch)-1].Position.Offset + 1)
	}
	go func() { c.finished <- c.worker.Process(c.ctx, batch) }()
	c.wait()
}

// step lets the call at which the worker is parked come to its outcome, and the worker run to its next one.
func (c *simConsumer) step(o outcome) {
	if o.verdict == die {
		c.dead = true
		c.cancel()
	}
	c.resume <- o
	c.wait()
}

func (c *simConsumer) wait() {
	select {
	case c.waitingAt = <-c.parked:
	case err := <-c.finished:
		c.waitingAt = ""
		c.end(err)
	}
}

// end is what the consumer loop does when Process returns.
func (c *simConsumer) end(err error) {
	switch {
	case err == nil:
		c.at = c.batch[len(c.batch)-1].Position.Offset + 1
	case !c.dead:
		c.w.fail("Process failed though its context lives: %v", err)
	case c.w.broken.commitUnfinished:
		c.w.commit(c.batch[len(c.batch)-1].Position.Offset + 1)
	}
}

// kill ends the consumer wherever it is.
func (c *simConsumer) kill() {
	c.dead = true
	c.cancel()
	for c.waitingAt != "" {
		c.step(outcome{verdict: die})
	}
}

func (c *simConsumer) yield(call string) outcome {
	if c.dead {
		return outcome{verdict: die}
	}
	c.parked <- call
	return <-c.resume
}
