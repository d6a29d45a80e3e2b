package gateway

import (
	"context"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/pkg/chat"
)

// leasing keeps each user's lease as their sockets on this gateway are: held while there is one.
// It compares what is with what should be, so the order of connects and disconnects does not matter
// and a Redis that was away is caught up with.
type leasing struct {
	g    *Gateway
	wake chan struct{}

	mu    sync.Mutex // guards dirty
	dirty map[chat.ID]struct{}

	held sync.Map // users with a lease; one batch at a time writes it
}

// leaseWorkers is how many users' leases are changed at once; leaseDrain bounds giving them up at the end.
const (
	leaseWorkers = 16
	leaseDrain   = 3 * time.Second
)

func newLeasing(g *Gateway) *leasing {
	return &leasing{g: g, wake: make(chan struct{}, 1), dirty: map[chat.ID]struct{}{}}
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

// batch looks at everybody who is dirty. Who failed stays dirty.
func (l *leasing) batch(ctx context.Context) error {
	l.mu.Lock()
	users := l.dirty
	l.dirty = map[chat.ID]struct{}{}
	l.mu.Unlock()
	var tasks errgroup.Group
	tasks.SetLimit(leaseWorkers)
	for user := range users {
		tasks.Go(func() error {
			err := l.settle(ctx, user)
			if err != nil {
				l.mu.Lock()
				l.dirty[user] = struct{}{}
				l.mu.Unlock()
			}
			return err
		})
	}
	return tasks.Wait()
}

func (l *leasing) settle(ctx context.Context, user chat.ID) error {
	_, held := l.held.Load(user)
	connected := l.g.sessions.count(user) > 0
	switch {
	case connected && !held:
		change, err := l.g.Leases.Connect(ctx, user)
		if err != nil {
			return err
		}
		l.held.Store(user, true)
		if change != nil {
			l.g.Announcer.Announce(ctx, *change)
		}
	case !connected && held:
		if err := l.g.Leases.Disconnect(ctx, user); err != nil {
			return err
		}
		l.held.Delete(user)
	}
	return nil
}
