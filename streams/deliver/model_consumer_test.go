package deliver

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
)

// outcome is what the scheduler lets a call of a worker come to.
type outcome struct {
	verdict verdict
	// bits chooses, for each single write of a call that fails or is repeated, what becomes of it.
	bits  int
	batch []kafka.Record // what a take gets
}

type verdict int

const (
	succeed      verdict = iota
	succeedTwice         // and some of its writes come again later
	fail                 // nothing happened
	tear                 // some of its writes are done, some come later, some never
	die                  // the worker's context has ended
)

// simConsumer is one process with one assignment. Whatever its worker has under way waits, at each call that leaves the
// process, for the scheduler to let that call come to an outcome. So one thing happens at a time, in an order
// that the scheduler draws.
type simConsumer struct {
	w      *simWorld
	worker *messageWorker
	ctx    context.Context
	cancel context.CancelFunc
	ended  chan error

	next      int64        // the offset to be taken next
	open      []simOpen    // what was taken, until it and all that was taken before it is done
	dead      bool         // its context has ended
	asleep    bool         // stopped wherever it is, to wake up later and go on
	inherited bool         // for a missing rule: its memory is an earlier consumer's
	mishaps   int          // how many decodings will fail before one succeeds
	mu        sync.Mutex   // guards calls and open
	calls     []*simCall   // those that wait
	twin      *simConsumer // for a missing rule: it works on the same assignment
}

// simOpen is a record that was taken.
type simOpen struct {
	offset int64
	done   bool
}

// simCall is a call that waits for its outcome. Name and key tell it from the others of its consumer.
type simCall struct {
	name, key string
	resume    chan outcome
}

const take = "take"

func newSimConsumer(w *simWorld, at int64, patience time.Duration) *simConsumer {
	c := &simConsumer{w: w, next: at, ended: make(chan error, 1)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	var p port = simPort{c}
	if w.broken.port != nil {
		p = w.broken.port(simPort{c})
	}
	cfg := Config{
		Store: p, Owners: p, Sender: p, DeadLetters: p, Publisher: p, Decoder: p, Logger: w.logger,
		MembersMaxAge: 20 * simStep, RelayPatience: patience, RetryFirst: 1, RetryMax: 1,
		Remember: 2, Slice: 3, Slices: 2, ParkAfter: 5 * simStep,
	}.withDefaults()
	c.worker = newMessageWorker(newDeliver(cfg, w.metrics))
	return c
}

// run lets the worker run to where it waits for its first records.
func (c *simConsumer) run() {
	go func() { c.ended <- c.worker.Run(c.ctx, simRecords{c}) }()
	settle()
}

// simStep is the time that passes between two steps: all pauses between attempts are over after it.
const simStep = time.Millisecond

// settle returns when everything waits for the scheduler.
func settle() {
	time.Sleep(simStep)
	synctest.Wait()
}

// waiting are the calls that wait for an outcome, in an order that does not depend on chance.
func (c *simConsumer) waiting() (calls []*simCall) {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.SortFunc(c.calls, func(a, b *simCall) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.key, b.key))
	})
	return slices.Clone(c.calls)
}

// busy are those that wait for anything but records.
func (c *simConsumer) busy() []*simCall {
	return slices.DeleteFunc(c.waiting(), func(call *simCall) bool { return call.name == take })
}

func (c *simConsumer) taking() *simCall {
	for _, call := range c.waiting() {
		if call.name == take {
			return call
		}
	}
	return nil
}

// resume lets a call come to its outcome, and the worker run until everything of it waits again.
func (c *simConsumer) resume(call *simCall, o outcome) {
	c.mu.Lock()
	c.calls = slices.DeleteFunc(c.calls, func(other *simCall) bool { return other == call })
	c.mu.Unlock()
	call.resume <- o
	settle()
	select {
	case err := <-c.ended:
		c.ended <- err
		if !c.dead {
			c.w.fail("the worker ended though its context lives: %v", err)
		}
	default:
	}
}

// hand gives the worker the records that it waits for.
func (c *simConsumer) hand(batch []kafka.Record) {
	if c.w.broken.memoryAcrossJumps || c.inherited {
		c.worker.next, c.inherited = batch[0].Position, false
	}
	if c.w.broken.forgetAtOnce && c.worker.next != batch[0].Position {
		c.worker.numbers.forget()
		c.worker.next = batch[0].Position
	}
	last := batch[len(batch)-1].Position.Offset
	for _, r := range batch {
		c.open = append(c.open, simOpen{offset: r.Position.Offset})
	}
	c.next = last + 1
	if c.w.broken.commitFirst {
		c.w.commit(c.next)
	}
	to := c
	if c.twin != nil && len(c.open)%2 == 0 && c.twin.taking() != nil {
		to = c.twin
	}
	to.resume(to.taking(), outcome{batch: batch})
}

// lowest is the offset to commit: the lowest that is not done.
func (c *simConsumer) lowest() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.next
	highest := int64(-1)
	for _, o := range c.open {
		if !o.done {
			at = min(at, o.offset)
		} else {
			highest = max(highest, o.offset)
		}
	}
	if c.w.broken.commitHighest && highest >= 0 {
		return highest + 1
	}
	return at
}

// kill ends the consumer wherever it is, with what bits make of the writes that are under way.
func (c *simConsumer) kill(bits func() int) {
	if c.dead {
		return
	}
	c.dead = true
	c.cancel()
	settle()
	for calls := c.waiting(); len(calls) > 0; calls = c.waiting() {
		c.resume(calls[0], outcome{verdict: die, bits: bits()})
	}
	<-c.ended
	if c.twin != nil {
		c.twin.kill(bits)
	}
	if c.w.broken.commitUnfinished {
		c.w.commit(c.next)
	}
}

func (c *simConsumer) yield(name, key string) outcome {
	call := &simCall{name: name, key: key, resume: make(chan outcome)}
	c.mu.Lock()
	dead := c.dead
	if !dead {
		c.calls = append(c.calls, call)
	}
	c.mu.Unlock()
	if dead {
		return outcome{verdict: die}
	}
	return <-call.resume
}

// simRecords are the records of a consumer's assignment.
type simRecords struct{ *simConsumer }

func (r simRecords) Take(ctx context.Context) ([]kafka.Record, error) {
	o := r.yield(take, "")
	return o.batch, ctx.Err()
}

// Done marks what was taken; of two of one offset the first that is not done.
func (r simRecords) Done(positions ...chat.Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range positions {
		i := slices.IndexFunc(r.open, func(o simOpen) bool { return o.offset == p.Offset && !o.done })
		if i < 0 {
			r.w.fail("offset %d is done, but was not to be", p.Offset)
			continue
		}
		r.open[i].done = true
	}
}
