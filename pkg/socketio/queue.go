package socketio

import "slices"

// frame is one message as it goes out, made once and shared by all who get it.
type frame struct {
	buf    []byte // a whole, unmasked websocket frame
	body   int    // buf[body:] is its payload
	binary bool   // an attachment; its payload has no packet type in front
	lent   bool   // buf will be used again once send has returned
}

// keep returns the frame with memory of its own.
func (f frame) keep() frame {
	if f.lent {
		f.buf, f.lent = slices.Clone(f.buf), false
	}
	return f
}

func (f frame) payload() []byte { return f.buf[f.body:] }

// frameOverhead is what a waiting frame counts for on top of its bytes, so that a flood of tiny ones
// is bounded too: the slice element and the share of what it points to.
const frameOverhead = 64

func (f frame) cost() int { return len(f.buf) + frameOverhead }

// sendQueue holds what waits for one client, in order. It is guarded by its session's mu. Frames that
// were taken still count until they are released: until they are written they are still ours.
type sendQueue struct {
	frames  []frame
	bytes   int // waiting and taken
	waiters []waiter
}

// waiter waits until no more than below bytes are left.
type waiter struct {
	below int
	ready chan struct{}
}

// wait returns a channel that is closed once no more than below bytes are left, nil if that is so now.
func (q *sendQueue) wait(below int) <-chan struct{} {
	if q.bytes <= below {
		return nil
	}
	ready := make(chan struct{})
	q.waiters = append(q.waiters, waiter{below, ready})
	return ready
}

// wake ends every wait.
func (q *sendQueue) wake() {
	for _, w := range q.waiters {
		close(w.ready)
	}
	q.waiters = nil
}

// forget takes back a wait that was given up.
func (q *sendQueue) forget(ready <-chan struct{}) {
	q.waiters = slices.DeleteFunc(q.waiters, func(w waiter) bool { return w.ready == ready })
}

func (q *sendQueue) push(f frame) {
	q.frames = append(q.frames, f.keep())
	q.bytes += f.cost()
}

// take hands over all that waits. spare, if any, is reused for what comes next.
func (q *sendQueue) take(spare []frame) []frame {
	batch := q.frames
	q.frames = spare[:0]
	return batch
}

// takeSome hands over the first of what waits, up to most frames.
func (q *sendQueue) takeSome(most int) []frame {
	n := min(most, len(q.frames))
	batch := q.frames[:n:n]
	q.frames = q.frames[n:]
	return batch
}

func (q *sendQueue) release(bytes int) {
	q.bytes -= bytes
	if len(q.waiters) == 0 {
		return
	}
	q.waiters = slices.DeleteFunc(q.waiters, func(w waiter) bool {
		if q.bytes <= w.below {
			close(w.ready)
		}
		return q.bytes <= w.below
	})
}
