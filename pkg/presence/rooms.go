package presence

import (
	"context"
	"time"
)

// open notes that a room is wished, after waiting for a removal of it that is under way. fresh: it
// was not held before.
func (t *table) open(ctx context.Context, l lease, now time.Time) (turn uint64, fresh bool, err error) {
	for {
		t.mu.Lock()
		closing := t.closing[l]
		if closing == nil {
			_, before := t.leases[l]
			turn := t.setLocked(l, hold, now)
			t.mu.Unlock()
			return turn, !before, nil
		}
		t.mu.Unlock()
		select {
		case <-closing:
		case <-ctx.Done():
			return 0, false, ctx.Err()
		}
	}
}

// forget drops a lease whatever its turn.
func (t *table) forget(l lease) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.leases, l)
}

// close answers those of the rooms that nobody wishes and nobody else is removing, and keeps them
// from being opened until done is called.
func (t *table) close(rooms []lease) (free []lease, done func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ended := make(chan struct{})
	for _, r := range rooms {
		if t.leases[r] == nil && t.closing[r] == nil {
			t.closing[r] = ended
			free = append(free, r)
		}
	}
	return free, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, r := range free {
			delete(t.closing, r)
		}
		close(ended)
	}
}

// all answers the users and rooms that are held.
func (t *table) all() (users, rooms []lease) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for l, h := range t.leases {
		switch {
		case l.room:
			rooms = append(rooms, l)
		case h.wish.holds():
			users = append(users, l)
		}
	}
	return users, rooms
}
