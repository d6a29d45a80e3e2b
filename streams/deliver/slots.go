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
// A slice that has had its slot for longer than patience is parked: it waits for something that is away, and would
// only keep from working those that can. It goes on and counts no more. Should everything be slow because the
// store is overloaded, that lets in no more than a slot's worth of work for each patience and slot.
type slots struct {
	patience time.Duration
	parked   func(change int) // told of slices that get parked, and of those that end after it

	mu      sync.Mutex // guards what follows
	free    int
	waiting []slot
}

// slot is closed when it may be used.
type slot chan struct{}

func newSlots(n int, patience time.Duration, parked func(int)) *slots {
	return &slots{patience: patience, parked: parked, free: n}
}

// ask takes a place among those who wait. Whoever asks waits, too.
func (s *slots) ask() slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := make(slot)
	s.waiting = append(s.waiting, mine)
	s.serve()
	return mine
}

// serve gives what is free to those who wait. s.mu is held.
func (s *slots) serve() {
	for s.free > 0 && len(s.waiting) > 0 {
		s.free--
		close(s.waiting[0])
		s.waiting = s.waiting[1:]
	}
}

// wait returns when the slot may be used, with what ends its use, or when ctx ends.
func (s *slots) wait(ctx context.Context, mine slot) (end func(), err error) {
	select {
	case <-mine:
	case <-ctx.Done():
		s.leave(mine)
		return nil, ctx.Err()
	}
	parked := time.AfterFunc(s.patience, func() {
		s.parked(+1)
		s.release()
	})
	return func() {
		if parked.Stop() {
			s.release()
		} else {
			s.parked(-1)
		}
	}, nil
}

func (s *slots) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free++
	s.serve()
}

// leave gives up waiting, or the slot that was given meanwhile.
func (s *slots) leave(mine slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.waiting, mine); i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
		return
	}
	s.free++
	s.serve()
}
