package gateway

import (
	"context"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// turnPatience is how long a join waits for a turn before it is told to come again.
const turnPatience = 10 * time.Second

// inTurn runs what a join asks of Redis and the store when it is its turn: after a deploy everybody joins again at
// once, and live messages are not to stand behind that. A turn is not kept while a client is waited for.
func (g *Gateway) inTurn(ctx context.Context, step func() error) error {
	if !g.turns.TryAcquire(1) {
		g.metrics.joinsWaiting.Inc()
		wait, cancel := context.WithTimeout(ctx, turnPatience)
		err := g.turns.Acquire(wait, 1)
		cancel()
		g.metrics.joinsWaiting.Dec()
		if err != nil {
			return chat.ErrUnavailable
		}
	}
	defer g.turns.Release(1)
	return step()
}
