package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

var errNotReadSince = errors.New("nobody has read them since")

// source is one place where public keys are published, and the last set that was read there.
type source struct {
	kind, name string // "file" or "url"; what to call it in logs
	load       func(context.Context) ([]candidate, error)
	every      time.Duration // between two reads
	soonest    time.Duration // between a read and one that an unknown key id asks for
	maxAge     time.Duration
	now        func() time.Time
	log        *slog.Logger
	metrics    *metrics

	state atomic.Pointer[snapshot]

	mu      sync.Mutex    // guards the two below
	reading chan struct{} // closed when the read that is under way ends; nil: none is
	readAt  time.Time     // when the last read began
}

// snapshot is what is known of a source; it never changes.
type snapshot struct {
	keys   *keySet // nil: none was ever read
	asOf   time.Time
	failed error // why the last read failed; nil: it did not
}

func newSource(kind, name string, cfg Config, m *metrics, load func(context.Context) ([]candidate, error)) *source {
	s := &source{
		kind: kind, name: name, load: load, metrics: m, now: cfg.Clock,
		every: cfg.RefreshInterval, soonest: cfg.UnknownKeyInterval, maxAge: cfg.MaxKeyAge,
		log: cfg.Logger.With("keys", name),
	}
	s.state.Store(&snapshot{})
	m.keys.WithLabelValues(kind).Set(0)
	m.refreshed.WithLabelValues(kind).Set(0)
	return s
}

// current is the key set in force, or why there is none.
func (s *source) current() (*keySet, error) {
	state := s.state.Load()
	switch {
	case state.keys == nil:
		return nil, fmt.Errorf("no keys from %s yet: %w", s.name, state.failed)
	case s.now().Sub(state.asOf) > s.maxAge:
		return nil, fmt.Errorf("the keys from %s are older than %s: %w", s.name, s.maxAge,
			cmp.Or(state.failed, errNotReadSince))
	}
	return state.keys, nil
}

func (s *source) find(token *jwt.Token, kid string) (any, bool) {
	keys, err := s.current()
	if err != nil {
		return nil, false
	}
	return keys.find(token, kid)
}

// run reads the source again and again until ctx ends: every interval, and sooner after a failure.
func (s *source) run(ctx context.Context) error {
	retry := time.Second
	for {
		wait := s.every
		if s.state.Load().failed != nil {
			wait = min(retry, s.every)
			retry = min(2*retry, 30*time.Second)
		} else {
			retry = time.Second
		}
		// Up to a tenth earlier, so that many gateways do not ask together.
		timer := time.NewTimer(wait - rand.N(wait/10+1))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
			_ = s.refresh(ctx) // logged and counted there, kept in the state
		}
	}
}

// refresh reads the source now, or waits for the read that is under way.
func (s *source) refresh(ctx context.Context) error {
	s.mu.Lock()
	if under := s.reading; under != nil {
		s.mu.Unlock()
		select {
		case <-under:
		case <-ctx.Done():
		}
		return s.state.Load().failed
	}
	return s.read(ctx)
}

// lookAgain reads the source because a token names a key that is not there. However many tokens do,
// that happens once in `soonest`; all who come meanwhile share it. It tells whether it is worth looking
// for the key once more.
func (s *source) lookAgain(ctx context.Context) bool {
	s.mu.Lock()
	if s.reading == nil && s.now().Sub(s.readAt) < s.soonest {
		s.mu.Unlock()
		s.metrics.refreshes.WithLabelValues(s.kind, "throttled").Inc()
		return false
	}
	if s.reading != nil {
		s.mu.Unlock()
		return s.refresh(ctx) == nil
	}
	// The one who asks may hang up; those who wait with them, and the budget, shall not suffer from it.
	return s.read(context.WithoutCancel(ctx)) == nil
}

// read does it. It is called with mu held and nothing under way, and lets go of mu.
func (s *source) read(ctx context.Context) error {
	done := make(chan struct{})
	s.reading, s.readAt = done, s.now()
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.reading = nil
		s.mu.Unlock()
		close(done)
	}()

	candidates, err := s.load(ctx)
	var keys *keySet
	var leftOut []string
	if err == nil {
		keys, leftOut, err = newKeySet(ctx, candidates)
	}
	before := s.state.Load()
	if err != nil {
		s.state.Store(&snapshot{keys: before.keys, asOf: before.asOf, failed: err})
		s.failed(ctx, before, err)
		return err
	}
	s.state.Store(&snapshot{keys: keys, asOf: s.now()})
	s.metrics.refreshes.WithLabelValues(s.kind, "ok").Inc()
	s.metrics.keys.WithLabelValues(s.kind).Set(float64(keys.count))
	s.metrics.refreshed.WithLabelValues(s.kind).Set(float64(s.now().Unix()))
	if before.keys == nil || before.failed != nil {
		s.log.Info("keys to verify tokens were read", "count", keys.count, "left_out", leftOut)
	}
	return nil
}

func (s *source) failed(ctx context.Context, before *snapshot, err error) {
	if ctx.Err() != nil {
		return // we are stopping
	}
	s.metrics.refreshes.WithLabelValues(s.kind, "failed").Inc()
	if before.keys == nil {
		s.log.Error("keys to verify tokens cannot be read, and there are none yet: every token is refused", "error", err)
		return
	}
	until := before.asOf.Add(s.maxAge)
	if s.now().After(until) {
		s.metrics.keys.WithLabelValues(s.kind).Set(0)
		s.log.Error("keys to verify tokens cannot be read, and the last ones are too old: every token is refused", "error", err)
		return
	}
	s.log.Warn("keys to verify tokens cannot be read; the last ones go on for a time", "error", err, "until", until)
}
