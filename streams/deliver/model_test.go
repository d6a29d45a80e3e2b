package deliver

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/dozaar/dozaar/pkg/chat"
)

// histories is how many histories the model plays unless -rapid.checks or RAPID_CHECKS says otherwise.
const histories = "2000"

// TestModel plays random histories of overlapping consumers over one partition and compares what comes of
// them with a sequential reading of the log. For more of them: go test -run TestModel -rapid.checks=50000.
// A failure prints its seed and the shortest history that still fails.
func TestModel(t *testing.T) {
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == "100" { // rapid's own default
		if err := flag.Set("rapid.checks", histories); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = flag.Set("rapid.checks", "100") }()
	}
	shared := newMetrics(nil)
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(inBubble{t}, func(t *rapid.T) {
			if err := history(t, breakage{}, shared); err != nil {
				t.Fatal(err)
			}
		})
	})
}

// inBubble keeps rapid from asking for the test's deadline, which a bubble with a clock of its own does not have.
type inBubble struct{ *testing.T }

// history plays one history and tells what went wrong in it.
func history(t *rapid.T, broken breakage, shared *metrics) error {
	w := newSimWorld(broken, shared)
	defer w.stop()
	for _, c := range w.conversations {
		known := rapid.IntRange(0, 3).Draw(t, "known") > 0
		w.fromTheStart[c], w.store.known[c] = known, known
	}
	for range max(1, rapid.IntRange(-2, 2).Draw(t, "topics")) {
		w.play(t)
		w.drain(t)
		w.recreate()
	}
	w.check()
	return w.err
}

// play lets things happen in any order.
func (w *simWorld) play(t *rapid.T) {
	for range rapid.IntRange(1, 12).Draw(t, "records") {
		w.grow(t)
	}
	for range rapid.IntRange(10, 120).Draw(t, "steps") {
		if w.step(t); w.err != nil {
			return
		}
	}
}

// recreate ends all consumers and makes the topic anew, as an operator may once everything is drained.
func (w *simWorld) recreate() {
	w.stop()
	w.consumers = nil
	if !w.broken.sameEpoch {
		w.log.epoch++
	}
	w.log.end, w.committed = 0, 0
}

// stop ends what is still running, so that no goroutine outlives its history.
func (w *simWorld) stop() {
	for _, c := range w.consumers {
		c.kill(func() int { return 0 })
	}
}

// step does one of the things that can happen now.
func (w *simWorld) step(t *rapid.T) {
	var acts []func()
	add := func(weight int, act func()) { acts = append(acts, slices.Repeat([]func(){act}, weight)...) }
	for _, c := range w.consumers {
		if c.asleep {
			add(1, func() { c.asleep = false })
			continue
		}
		add(1, func() { c.asleep = true })
		add(1, func() { w.crash(t, c) })
		add(1, func() { w.revoke(t, c) })
		if len(c.busy()) > 0 {
			add(8, func() { w.proceed(t, c) })
		}
		if c.taking() != nil {
			add(4, func() { w.fetch(t, c) })
			if c.next != w.committed {
				add(1, func() { c.next = w.committed }) // and the worker lives on: a jump
			}
		}
		add(3, func() { w.commit(c.lowest()) })
	}
	if len(w.consumers) < 4 {
		add(3, func() { w.spawn(t) })
	}
	if w.log.end < 24 {
		add(2, func() { w.grow(t) })
	}
	if len(w.store.ghosts) > 0 {
		add(2, func() { w.haunt(t) })
	}
	add(1, func() { w.store.known[w.conversation(t)] = true })
	add(3, func() { w.room(t) })
	acts[rapid.IntRange(0, len(acts)-1).Draw(t, "act")]()
}

func (w *simWorld) conversation(t *rapid.T) chat.ID {
	return rapid.SampledFrom(w.conversations).Draw(t, "conversation")
}

// grow appends a record: a new message, a retry of an earlier one by its client id, with the same or
// another body, an exact copy of an earlier one, or one that is not sound.
func (w *simWorld) grow(t *rapid.T) {
	n := len(w.log.entries)
	var m chat.Message
	if n > 0 && rapid.IntRange(0, 7).Draw(t, "copy") == 7 {
		m = w.log.entries[rapid.IntRange(0, n-1).Draw(t, "of")].message
	} else {
		sender := w.members[rapid.IntRange(0, 1).Draw(t, "sender")]
		d := chat.Draft{Text: rapid.SampledFrom([]string{"yes", "no"}).Draw(t, "text")}
		if client := rapid.IntRange(0, 3).Draw(t, "client"); client > 0 {
			d.ClientMessageID = simID('k', client)
		}
		m = d.New(w.conversation(t), chat.User{ID: sender.UserID, Username: sender.Username}, simTime)
		if d.ClientMessageID == (chat.ID{}) {
			m.ID = simID('m', n)
		}
	}
	hole := max(0, int64(rapid.IntRange(-6, 2).Draw(t, "hole")))
	flaw := rapid.IntRange(0, 11).Draw(t, "flaw")
	w.log.append(m, hole, flaw == 11, flaw == 10)
}

func (w *simWorld) spawn(t *rapid.T) *simConsumer {
	patience := time.Hour
	if rapid.IntRange(0, 7).Draw(t, "patience") == 7 {
		patience = simStep // gives up telling whenever anything else happens meanwhile
	}
	c := newSimConsumer(w, w.committed, patience)
	if n := len(w.consumers); n > 0 && w.broken.memoryAcrossAssignments {
		c.worker.numbers, c.inherited = w.consumers[n-1].worker.numbers, true
	}
	if w.broken.twoAtOnce {
		c.twin = newSimConsumer(w, w.committed, patience)
		c.twin.worker = &messageWorker{Deliver: c.twin.worker.Deliver, numbers: c.worker.numbers}
		c.twin.run()
	}
	c.run()
	w.consumers = append(w.consumers, c)
	return c
}

// fetch gives the worker its next batch, if there is one. Some batches jump ahead to what is committed by others.
func (w *simWorld) fetch(t *rapid.T, c *simConsumer) {
	batch := w.log.fetch(c.next, rapid.IntRange(1, 5).Draw(t, "batch"))
	if len(batch) == 0 {
		return
	}
	if w.committed > batch[len(batch)-1].Position.Offset+1 && rapid.Bool().Draw(t, "ahead") {
		batch = append(batch, w.log.fetch(w.committed, 2)...)
	}
	c.mishaps = max(0, rapid.IntRange(-8, 2).Draw(t, "mishaps"))
	c.hand(batch)
}

func (w *simWorld) crash(t *rapid.T, c *simConsumer) {
	c.kill(func() int { return w.bits(t) })
	w.consumers = slices.DeleteFunc(w.consumers, func(other *simConsumer) bool { return other == c })
}

// revoke is a crash with time to commit what is done.
func (w *simWorld) revoke(t *rapid.T, c *simConsumer) {
	w.crash(t, c)
	w.commit(c.lowest())
}

// proceed lets a worker make some calls that succeed, and then one that may not. Which ones is drawn, so
// that a call may wait for long while everything else goes on.
func (w *simWorld) proceed(t *rapid.T, c *simConsumer) {
	for n := rapid.IntRange(0, 9).Draw(t, "calls"); n >= 0; n-- {
		calls := c.busy()
		if len(calls) == 0 {
			return
		}
		call := rapid.SampledFrom(calls).Draw(t, "call")
		if n > 0 {
			c.resume(call, outcome{})
		} else {
			c.resume(call, w.outcome(t))
		}
	}
}

func (w *simWorld) outcome(t *rapid.T) outcome {
	verdict := rapid.SampledFrom([]verdict{
		succeed, succeed, succeed, succeed, succeed, succeed, succeed, succeedTwice, fail, tear, tear,
	}).Draw(t, "verdict")
	return outcome{verdict: verdict, bits: w.bits(t)}
}

func (w *simWorld) bits(t *rapid.T) int { return rapid.IntRange(0, 1<<16-1).Draw(t, "fates") }

// haunt lets a write that was on its way arrive.
func (w *simWorld) haunt(t *rapid.T) {
	i := rapid.IntRange(0, len(w.store.ghosts)-1).Draw(t, "ghost")
	write := w.store.ghosts[i]
	w.store.ghosts = slices.Delete(w.store.ghosts, i, i+1)
	write()
}

// room registers a room, or lets one that is registered read its head.
func (w *simWorld) room(t *rapid.T) {
	for _, r := range w.rooms {
		if !r.read {
			r.read, r.head = true, w.store.heads[r.conversation].Seq
			return
		}
	}
	w.rooms = append(w.rooms, &simRoom{conversation: w.conversation(t), gateway: fmt.Sprintf("r%d", len(w.rooms))})
}

// drain lets everybody finish what they do while a fresh consumer goes to the end of the log, and then
// every write that is still on its way arrive.
func (w *simWorld) drain(t *rapid.T) {
	fresh := w.spawn(t)
	for w.err == nil {
		if fresh.taking() != nil && fresh.next < w.log.end {
			w.fetch(t, fresh)
			continue
		}
		busy := slices.DeleteFunc(slices.Clone(w.consumers), func(c *simConsumer) bool { return len(c.busy()) == 0 })
		if len(busy) == 0 {
			break
		}
		c := rapid.SampledFrom(busy).Draw(t, "who")
		c.resume(rapid.SampledFrom(c.busy()).Draw(t, "call"), outcome{})
	}
	if w.err != nil {
		return
	}
	if at := fresh.lowest(); at != w.log.end {
		w.fail("the log ends at %d, but %d is not done", w.log.end, at)
	}
	w.commit(fresh.lowest())
	for len(w.store.ghosts) > 0 {
		w.haunt(t)
	}
}
