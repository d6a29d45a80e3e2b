package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// A gateway that does not register any more is dead once it has been missed for so long: Redis may have lost it a moment ago.
const missedFor = 5 * time.Second

var errMissed = errors.New("a gateway has been missed for a moment only")

// alive tells the gateways that live from those that died and left leases behind, which go on until their TTL.
type alive struct {
	directory Directory
	clock     func() time.Time

	mu     sync.Mutex
	missed map[string]time.Time // guarded by mu; gateways with leases that do not register, and since when
}

// left answers those of the users whose every device was at a gateway that is dead. It fails where that cannot be told yet.
func (a *alive) left(ctx context.Context, users []chat.ID) (map[chat.ID]bool, error) {
	at, _, err := a.directory.Owners(ctx, users, nil)
	if err != nil {
		return nil, fmt.Errorf("where users are: %w", err)
	}
	living, err := a.directory.Gateways(ctx)
	if err != nil {
		return nil, fmt.Errorf("which gateways live: %w", err)
	}
	left := map[chat.ID]bool{}
	for _, user := range users {
		if slices.ContainsFunc(at[user], func(g string) bool { return slices.Contains(living, g) }) {
			continue
		}
		for _, gateway := range at[user] {
			if a.since(gateway) < missedFor {
				err = errMissed
			}
		}
		left[user] = true
	}
	a.forget(living)
	return left, err
}

// since answers for how long a gateway has been missed.
func (a *alive) since(gateway string) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.clock()
	first, known := a.missed[gateway]
	if !known {
		first = now
		a.missed[gateway] = now
	}
	return now.Sub(first)
}

// forget drops the gateways that live, and those that were missed first an hour ago: their leases are over.
func (a *alive) forget(living []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for gateway, first := range a.missed {
		if a.clock().Sub(first) > time.Hour || slices.Contains(living, gateway) {
			delete(a.missed, gateway)
		}
	}
}
