package deliver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/dozaar/dozaar/pkg/tracing"
)

// complaintEvery is how often a step that keeps failing is logged, of however many slices.
const complaintEvery = 30 * time.Second

// complaints remembers when each was made last.
type complaints struct {
	mu   sync.Mutex
	last map[string]time.Time // guarded by mu
}

func (c *complaints) due(what string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, made := c.last[what]; made && now.Sub(at) < complaintEvery {
		return false
	}
	if c.last == nil {
		c.last = map[string]time.Time{}
	}
	c.last[what] = now
	return true
}

// insist does a step until it succeeds. It fails only when ctx has ended.
func (d *Deliver) insist(ctx context.Context, step string, do func(context.Context) error) error {
	return d.retry(ctx, 0, step, do)
}

// tryFor does a step until it succeeds, for about as long as patience, and once in any case. It fails with
// the step's error, or with ctx's when that has ended.
func (d *Deliver) tryFor(ctx context.Context, patience time.Duration, step string, do func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := d.retry(bounded, patience, step, do)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// retry attempts once in any case.
func (d *Deliver) retry(ctx context.Context, patience time.Duration, step string, do func(context.Context) error) error {
	var pauses *backoff.ExponentialBackOff // made where it is needed, which is seldom: it costs more than many a step
	for start := d.Clock(); ; {
		attempt := d.Clock()
		try, end := tracing.Step(ctx, d.Tracer, step)
		err := do(try)
		end(err)
		now := d.Clock()
		d.metrics.step(step, now.Sub(attempt), err)
		if err == nil {
			return nil
		}
		turnOf(ctx).failed()
		if pauses == nil {
			pauses = backoff.NewExponentialBackOff()
			pauses.InitialInterval, pauses.MaxInterval = d.RetryFirst, d.RetryMax
		}
		next := pauses.NextBackOff()
		if patience > 0 && now.Sub(start)+next > patience && ctx.Err() == nil {
			return err
		}
		if ctx.Err() == nil && d.complaints.due(step, now) {
			d.log.WarnContext(ctx, "a step fails and is tried again", "step", step, "since", start, "error", err)
		}
		ended := pause(ctx, next)
		if ended == nil {
			ended = turnOf(ctx).retry(ctx)
		}
		if ended != nil {
			if errors.Is(err, ended) {
				return err
			}
			return fmt.Errorf("%w, after %w", ended, err)
		}
	}
}

// pause waits, or answers why ctx has ended.
func pause(ctx context.Context, length time.Duration) error {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
