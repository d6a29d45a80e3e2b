package gateway

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/dozaar/dozaar/pkg/chat"
)

// leasing keeps each user's lease as their sockets on this gateway are: held while there is one, and as
// the user wishes to be seen. It compares what is with what should be, so the order of connects and disconnects
// does not matter and a Redis that was away is caught up with.
type leasing struct {
	g    *Gateway
	wake chan struct{}

	mu      sync.Mutex           // guards what follows
	dirty   map[chat.ID]struct{} // to be looked at
	changed map[chat.ID]struct{} // their settings, too

	held map[chat.ID]bool // users with a lease, and whether their settings are known; of run alone
}

// leaseBatch is how many users' leases are changed together; leaseDrain bounds giving them up at the end.
const (
	leaseBatch = 500
	leaseDrain = 3 * time.Second
)

func newLeasing(g *Gateway) *leasing {
	return &leasing{g: g, wake: make(chan struct{}, 1), dirty: map[chat.ID]struct{}{}, changed: map[chat.ID]struct{}{}, held: map[chat.ID]bool{}}
}

// reconcile asks for a look at a user. It does not block.
func (l *leasing) reconcile(user chat.ID) {
	l.mu.Lock()
	l.dirty[user] = struct{}{}
	l.mu.Unlock()
	l.rouse()
}

// rouse has run look at who is dirty. One call that waits is enough for all.
func (l *leasing) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *leasing) run(ctx context.Context) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval = 50 * time.Millisecond
	pause.MaxInterval = 2 * time.Second
	for {
		select {
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseDrain)
			defer cancel()
			if err := l.batch(ctx); err != nil {
				l.g.log.Warn("give up the leases of those who left; they end by themselves", "error", err)
			}
			return nil
		case <-l.wake:
		}
		if err := l.batch(ctx); err != nil {
			l.g.log.Warn("change the leases of users", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(pause.NextBackOff()):
				l.rouse()
			}
			continue
		}
		pause.Reset()
	}
}

// wishesChanged has a user's settings read again.
func (l *leasing) wishesChanged(user chat.ID) {
	l.mu.Lock()
	l.changed[user] = struct{}{}
	l.dirty[user] = struct{}{}
	l.mu.Unlock()
	l.rouse()
}

// batch looks at everybody who is dirty. Who failed stays dirty.
func (l *leasing) batch(ctx context.Context) (failed error) {
	l.mu.Lock()
	dirty, changed := l.dirty, l.changed
	l.dirty, l.changed = map[chat.ID]struct{}{}, map[chat.ID]struct{}{}
	l.mu.Unlock()
	for user := range changed {
		if _, held := l.held[user]; held {
			l.held[user] = false
		}
	}
	var come, gone []chat.ID
	for user := range dirty {
		known, held := l.held[user]
		switch connected := l.g.sessions.count(user) > 0; {
		case connected && !known:
			come = append(come, user)
		case !connected && held:
			gone = append(gone, user)
		}
	}
	for part := range slices.Chunk(come, leaseBatch) {
		if err := l.come(ctx, part); err != nil {
			failed = cmp.Or(failed, err)
			l.again(part)
		}
	}
	for part := range slices.Chunk(gone, leaseBatch) {
		if err := l.g.Leases.Disconnect(ctx, part...); err != nil {
			failed = cmp.Or(failed, err)
			l.again(part)
			continue
		}
		for _, user := range part {
			delete(l.held, user)
		}
	}
	return failed
}

func (l *leasing) again(users []chat.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, user := range users {
		l.dirty[user] = struct{}{}
	}
}

// come writes the leases of users who have come, or whose settings were not known. A store that is away keeps
// nobody from being reached: their settings are as they were, and are read later.
func (l *leasing) come(ctx context.Context, users []chat.ID) error {
	settings, settingsErr := l.g.Store.Settings(ctx, users)
	var arrivals []chat.Arrival
	for _, user := range users {
		read, known := settings[user]
		if known {
			l.g.wishes.put(user, read)
		}
		if _, held := l.held[user]; known || !held {
			arrivals = append(arrivals, chat.Arrival{UserID: user, Visibility: l.g.wishes.visibility(user)})
		}
	}
	changes, err := l.g.Leases.Connect(ctx, arrivals...)
	for _, change := range changes {
		l.g.Announcer.Announce(ctx, change)
	}
	if err != nil {
		return err
	}
	for _, a := range arrivals {
		_, l.held[a.UserID] = settings[a.UserID]
	}
	return settingsErr
}
