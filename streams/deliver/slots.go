package deliver

import (
	"context"
	"slices"
	"sync"
	"time"
)

// slots bound how many slices are at work in the process, so that a hundred thousand cold conversations are
// read beside each other, but not all at once. Who waits is served in the order of asking.
//
// A slice that waits for something that is away would only keep from working those that can. So it is parked: it goes on, and
// another one gets its slot. That happens
//
//   - when a step of it has failed. Before it tries again it waits for its turn among those that have failed, of which as
//     many may try at once as there are slots; so a store that is back is not asked by all of them in the same moment.
//   - when it has had its slot for longer than patience, as long as others are done in time: each of those lets some be
//     parked. Where none is, nothing is away, but everything is slow, and more at once would make it slower, up to where
//     every answer comes too late.
type slots struct {
	patience time.Duration
	parked   func(change int) // told of slices that get parked, and of those that end after it

	mu             sync.Mutex // guards what follows, and the turns
	most           int        // slots, and as many for those that try again
	working, again int        // how many are taken
	asking, failed []*turn    // those that wait for the one and for the other
	late           []*turn    // those that have had a slot for longer than patience, and have it still
	mayPark        int        // how many more of them
}

// parkedForOne is how many late slices may be parked for one that was done in time: four of five may hang.
const parkedForOne = 4

// turn is a slice's, from asking for a slot until the slice is done.
type turn struct {
	slots  *slots
	may    chan struct{} // closed when it may go on
	timer  *time.Timer   // since it got its slot
	holds  *int          // what it counts among: working, again or nothing
	waits  bool
	late   bool
	parked bool
	over   bool
}

func newSlots(n int, patience time.Duration, parked func(int)) *slots {
	return &slots{patience: patience, parked: parked, most: n, mayPark: n}
}

// ask takes a place among those who wait. Whoever asks waits, too.
func (s *slots) ask() *turn {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &turn{slots: s}
	t.queue(&s.asking)
	s.serve()
	return t
}

// queue has the turn wait. s.mu is held.
func (t *turn) queue(queue *[]*turn) {
	t.waits, t.may = true, make(chan struct{})
	*queue = append(*queue, t)
}

// serve gives what is free to those who wait. s.mu is held.
func (s *slots) serve() {
	for s.mayPark > 0 && len(s.late) > 0 {
		s.mayPark--
		t := s.late[0]
		t.release()
		t.park()
	}
	give := func(taken *int, queue *[]*turn) {
		for *taken < s.most && len(*queue) > 0 {
			t := (*queue)[0]
			*queue = (*queue)[1:]
			if t.over { // it was given up
				continue
			}
			*taken++
			t.waits, t.holds = false, taken
			close(t.may)
		}
	}
	give(&s.working, &s.asking)
	give(&s.again, &s.failed)
}

// wait returns when the slot may be used, or ctx ends. The turn has to be ended in any case.
func (t *turn) wait(ctx context.Context) error {
	select {
	case <-t.may:
	case <-ctx.Done():
		return ctx.Err()
	}
	t.change(func() { t.timer = time.AfterFunc(t.slots.patience, func() { t.change(t.overdue) }) })
	return nil
}

// change does something to the turn, if there is one, and serves those whom that lets go on.
func (t *turn) change(do func()) {
	if t == nil {
		return
	}
	t.slots.mu.Lock()
	defer t.slots.mu.Unlock()
	do()
	t.slots.serve()
}

func (t *turn) overdue() {
	switch {
	case t.over:
	case t.holds == &t.slots.working:
		t.late = true
		t.slots.late = append(t.slots.late, t)
	default:
		t.park()
	}
}

// release gives back what the turn holds.
func (t *turn) release() {
	if t.holds == nil {
		return
	}
	*t.holds--
	t.holds = nil
	if i := slices.Index(t.slots.late, t); i >= 0 {
		t.slots.late = slices.Delete(t.slots.late, i, i+1)
	}
}

func (t *turn) park() {
	if !t.parked {
		t.parked = true
		t.slots.parked(+1)
	}
}

// stored says that the slice has done all for which it needs a slot.
func (t *turn) stored() { t.change(t.done) }

// done gives the slot back, and lets others be parked if it was in time.
func (t *turn) done() {
	if t.holds == &t.slots.working && !t.late {
		t.slots.mayPark = min(t.slots.mayPark+parkedForOne, t.slots.most)
	}
	t.release()
}

// failed says that a step has failed.
func (t *turn) failed() {
	t.change(func() {
		t.release()
		t.park()
	})
}

// retry returns when a step that has failed may be tried again, or ctx ends.
func (t *turn) retry(ctx context.Context) error {
	if t == nil {
		return nil
	}
	var may chan struct{}
	t.change(func() {
		if t.holds == nil && !t.waits {
			t.queue(&t.slots.failed)
		}
		may = t.may
	})
	select {
	case <-may:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// end is the end of the slice.
func (t *turn) end() {
	t.change(func() {
		t.done()
		t.over = true
		if t.timer != nil {
			t.timer.Stop()
		}
		if t.parked {
			t.slots.parked(-1)
		}
	})
}

// turnKey is a context's key for its slice's turn.
type turnKey struct{}

func (t *turn) into(ctx context.Context) context.Context { return context.WithValue(ctx, turnKey{}, t) }

// turnOf is the turn of the slice that ctx belongs to; nil where it belongs to none.
func turnOf(ctx context.Context) *turn {
	t, _ := ctx.Value(turnKey{}).(*turn)
	return t
}
