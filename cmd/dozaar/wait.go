package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
)

const (
	waitFirst    = 100 * time.Millisecond // the first pause between two attempts; they grow, with jitter
	waitMost     = 2 * time.Second        // the longest
	attemptLimit = 30 * time.Second       // of one attempt: what hangs is given up and tried again
	// migratePatience is an attempt's limit where another process may be at it: each change of a schema has half a
	// minute by itself.
	migratePatience = 10 * time.Minute
	pingLimit       = 3 * time.Second // of an attempt to have any answer
	complaints      = 5 * time.Second // how often it is told what is waited for
)

// What is waited for, as it is called.
const (
	engineKafka     = "Kafka"
	engineCassandra = "Cassandra"
	engineRedis     = "Redis"
	engineRegistry  = "the schema registry"
)

// waiting takes the steps of a start that need an engine: an engine that is away is waited for, whatever the
// order in which they come up. Several may be waited for at once.
type waiting struct {
	log      *slog.Logger
	patience time.Duration // how long an engine may be away; 0: for ever

	mu sync.Mutex       // guards on
	on map[string]error // what is waited for, and what it said last
}

// state is an error that names all that is waited for, while there is any.
func (w *waiting) state() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.on) == 0 {
		return nil
	}
	return errors.New("waiting for " + strings.Join(slices.Sorted(maps.Keys(w.on)), ", "))
}

// stateOf is what an engine said last, while it is waited for.
func (w *waiting) stateOf(engine string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.on[engine]
}

func (w *waiting) note(engine string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.on == nil {
		w.on = map[string]error{}
	}
	w.on[engine] = err
}

func (w *waiting) forget(engine string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.on, engine)
}

// until takes a step until it succeeds, fails for another reason than that the engine is away, or patience or ctx ends.
// In the last case the error is what was said last.
func (w *waiting) until(ctx context.Context, engine string, step func(ctx context.Context) error) error {
	return w.untilEach(ctx, engine, attemptLimit, step)
}

// untilKafka is until for Kafka, whose client waits by itself for brokers that are away, and says nothing meanwhile: so
// one that answers is waited for first.
func (w *waiting) untilKafka(ctx context.Context, cfg kafka.Config, step func(ctx context.Context) error) error {
	if err := w.untilKafkaAnswers(ctx, cfg); err != nil {
		return err
	}
	return w.until(ctx, engineKafka, step)
}

func (w *waiting) untilKafkaAnswers(ctx context.Context, cfg kafka.Config) error {
	return w.untilEach(ctx, engineKafka, pingLimit, func(ctx context.Context) error { return kafka.Ping(ctx, cfg) })
}

// untilEach is until with another limit to each attempt.
func (w *waiting) untilEach(ctx context.Context, engine string, limit time.Duration, step func(ctx context.Context) error) error {
	defer w.forget(engine)
	w.note(engine, errors.New("it has not answered yet"))
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = waitFirst, waitMost
	last := context.Canceled
	var complained time.Time
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		attempt, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		err := step(attempt)
		if err != nil && ctx.Err() == nil {
			last = err
			if attempt.Err() == nil && !mayPass(err) { // what is said when the time is over says nothing
				return struct{}{}, backoff.Permanent(err)
			}
		}
		return struct{}{}, err
	},
		backoff.WithBackOff(pauses),
		backoff.WithMaxElapsedTime(w.patience),
		backoff.WithNotify(func(err error, _ time.Duration) {
			said := withoutPasswords(oneLine(err))
			w.note(engine, errors.New(said))
			if now := time.Now(); now.Sub(complained) >= complaints {
				complained = now
				w.log.Warn("waiting for "+engine+w.atMost(), "error", said)
			}
		}))
	if err != nil {
		if ctx.Err() == nil && w.patience > 0 && mayPass(last) {
			return fmt.Errorf("waited for %s%s: %w", engine, w.atMost(), last)
		}
		return last
	}
	if !complained.IsZero() {
		w.log.Info("no longer waiting for " + engine)
	}
	return nil
}

// atMost is for how long it is waited, where that is not for ever, and what sets it.
func (w *waiting) atMost() string {
	if w.patience == 0 {
		return ""
	}
	return fmt.Sprintf(" for at most %s (--wait)", w.patience.Round(time.Second))
}

// mayPass tells an engine that is away from one that is there and is not as we need it, or does not let us in.
func mayPass(err error) bool {
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted {
		return false
	}
	return errors.Is(err, chat.ErrUnavailable) && !kafka.Refused(err)
}
