package observe

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// The bounds of a message that repeats: so many are written at once, and then one in repeatEvery.
const (
	repeatBurst = 10
	repeatEvery = 10 * time.Second
	repeatKinds = 1000 // different messages that are kept apart
)

// repeats passes records on, but of those with the same level and message only so many: what fails for ten thousand
// sockets at once is to be read, not to fill the disk. The next one that passes says in `repeated` how many did not.
// Debugging is not held back.
type repeats struct {
	slog.Handler
	seen *seen // shared by all that come of one by WithAttrs and WithGroup
	now  func() time.Time
}

type seen struct {
	mu    sync.Mutex
	kinds map[kind]*repeated // guarded by mu
}

type kind struct {
	level   slog.Level
	message string
}

// repeated is a token bucket, and what it has held back.
type repeated struct {
	tokens float64
	at     time.Time
	held   int
}

func newRepeats(to slog.Handler, now func() time.Time) *repeats {
	return &repeats{to, &seen{kinds: map[kind]*repeated{}}, now}
}

// Handle implements slog.Handler.
func (h *repeats) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelInfo {
		return h.Handler.Handle(ctx, r)
	}
	pass, held := h.seen.pass(kind{r.Level, r.Message}, h.now())
	if !pass {
		return nil
	}
	if held > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("repeated", held))
	}
	return h.Handler.Handle(ctx, r)
}

func (s *seen) pass(k kind, now time.Time) (pass bool, held int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.kinds[k]
	if of == nil {
		if len(s.kinds) >= repeatKinds {
			clear(s.kinds) // somebody writes what differs each time: better too much than too little
		}
		of = &repeated{tokens: repeatBurst, at: now}
		s.kinds[k] = of
	}
	of.tokens = min(repeatBurst, of.tokens+max(0, now.Sub(of.at).Seconds())/repeatEvery.Seconds())
	of.at = now
	if of.tokens < 1 {
		of.held++
		return false, 0
	}
	of.tokens--
	held, of.held = of.held, 0
	return true, held
}

// WithAttrs implements slog.Handler.
func (h *repeats) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &repeats{h.Handler.WithAttrs(attrs), h.seen, h.now}
}

// WithGroup implements slog.Handler.
func (h *repeats) WithGroup(name string) slog.Handler {
	return &repeats{h.Handler.WithGroup(name), h.seen, h.now}
}
