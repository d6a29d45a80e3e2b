package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// How long an event waits for what it asks the store. A store that refuses says so at once; one that hangs, its
// connections open, says nothing, and an event that waits holds up those of its socket that come after it.
const (
	storePatience = 7 * time.Second        // more than the driver's 6 s, after which another node is asked
	awayPatience  = 100 * time.Millisecond // while the store is away: many times what an answer takes
	storeProbe    = time.Second            // between two tries whether it is back
)

// absence is whether the store is away, as far as anybody has noticed.
type absence struct {
	mu   sync.Mutex
	here context.Context    // guarded by mu; ends when the store is found to be away
	away context.CancelFunc // guarded by mu; ends here
}

func (a *absence) init() { a.here, a.away = context.WithCancel(context.Background()) }

func (a *absence) look() (here context.Context, patience time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.here.Err() != nil {
		return a.here, awayPatience
	}
	return a.here, storePatience
}

// ask reads from the store for a client's event. The first one that waits in vain has all others that wait give up,
// and until the very same read is answered again nobody waits for longer than awayPatience: what is not on the part of
// the store that hangs is read all the same. An error is chat.ErrUnavailable where the store is away.
func ask[T any](ctx context.Context, g *Gateway, read func(ctx context.Context) (T, error)) (T, error) {
	here, patience := g.absence.look()
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if patience == storePatience {
		defer context.AfterFunc(here, cancel)()
	}
	found, err := read(asking)
	if err == nil || ctx.Err() != nil {
		return found, err
	}
	if asking.Err() != nil {
		err = fmt.Errorf("%w: the store does not answer: %w", chat.ErrUnavailable, err)
	}
	if errors.Is(err, chat.ErrUnavailable) && here.Err() == nil { // or it was known
		g.storeIsAway(err, func(ctx context.Context) error {
			_, err := read(ctx)
			return err
		})
	}
	return found, err
}

// storeIsAway has nobody wait for the store until read gets an answer.
func (g *Gateway) storeIsAway(err error, read func(ctx context.Context) error) {
	a := &g.absence
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.here.Err() != nil {
		return // somebody else was faster
	}
	a.away()
	g.log.Warn("the store is away; sends go on with what is known", "error", err)
	g.spawn(func() {
		for g.base.Err() == nil {
			select {
			case <-g.base.Done():
				return
			case <-time.After(storeProbe):
			}
			ctx, cancel := context.WithTimeout(g.base, storePatience)
			err := read(ctx)
			silent := ctx.Err() != nil || errors.Is(err, chat.ErrUnavailable)
			cancel()
			if !silent {
				a.mu.Lock()
				a.init()
				a.mu.Unlock()
				g.log.Info("the store answers again")
				return
			}
		}
	})
}
