package gateway

import (
	"context"
	"sync"
	"time"

	"github.com/dozaar/dozaar/pkg/relay"
)

// heard is the stretch of time from which no word of the relay is missing.
type heard struct {
	mu    sync.Mutex
	since time.Time // guarded by mu; words of before may be missing
	until time.Time // guarded by mu
}

// Heard is called by the relay when it has handed on all that was sent until then.
func (g *Gateway) Heard(_ context.Context, until time.Time) {
	g.heard.mu.Lock()
	defer g.heard.mu.Unlock()
	g.heard.until = until
}

// missed notes why words may be missing. A sender that fell silent sent nothing, and what came late did come.
func (h *heard) missed(reason string) {
	if reason == relay.ReasonSilence || reason == relay.ReasonPause {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.since = time.Now()
}

// holds tells until when that holds what was read at a moment: all that changed it since was told.
func (h *heard) holds(read time.Time) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if read.Before(h.since) || h.until.Before(read) {
		return read
	}
	return h.until
}
