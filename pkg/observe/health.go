package observe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// CheckTimeout is how long a readiness check may take before it counts as failed.
const CheckTimeout = 2 * time.Second

// Check tells whether something that a process needs is there. It must return when ctx ends.
type Check func(ctx context.Context) error

// Health is the readiness of a process: named checks, and whether it is draining. It is safe for
// concurrent use.
type Health struct {
	mu       sync.Mutex // guards the two below
	checks   []*namedCheck
	draining bool
}

type namedCheck struct {
	name  string
	check Check

	mu      sync.Mutex // guards running
	running *answer    // of the check that runs, nil where none does: who asks meanwhile shares it, and a stuck one is never started twice
}

// answer is what a check says, once done is closed.
type answer struct {
	done chan struct{}
	err  error
}

// Status is the answer of /readyz.
type Status struct {
	Ready  bool                   `json:"ready"`
	Reason string                 `json:"reason,omitempty"` // why not, apart from the checks
	Checks map[string]CheckResult `json:"checks"`
}

// CheckResult is what one check said.
type CheckResult struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// NewHealth returns a health without checks: ready.
func NewHealth() *Health { return &Health{} }

// Add adds a check. A name that is there already is replaced.
func (h *Health) Add(name string, check Check) {
	h.mu.Lock()
	defer h.mu.Unlock()
	added := &namedCheck{name: name, check: check}
	for i, c := range h.checks {
		if c.name == name {
			h.checks[i] = added
			return
		}
	}
	h.checks = append(h.checks, added)
}

// Remove takes a check away, if it is there.
func (h *Health) Remove(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks = slices.DeleteFunc(h.checks, func(c *namedCheck) bool { return c.name == name })
}

// Drain makes the process unready for good: no new work shall come, what is there is finished.
func (h *Health) Drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
}

// Status runs the checks beside each other and returns, at the latest after CheckTimeout, what they say.
func (h *Health) Status(ctx context.Context) Status {
	h.mu.Lock()
	checks, draining := append([]*namedCheck(nil), h.checks...), h.draining
	h.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, CheckTimeout)
	defer cancel()
	answers := make([]*answer, len(checks))
	for i, c := range checks {
		answers[i] = c.ask(ctx)
	}
	status := Status{Ready: !draining, Checks: make(map[string]CheckResult, len(checks))}
	if draining {
		status.Reason = "draining"
	}
	for i, c := range checks {
		err := answers[i].wait(ctx)
		result := CheckResult{OK: err == nil}
		if err != nil {
			result.Error = err.Error()
			status.Ready = false
		}
		status.Checks[c.name] = result
	}
	return status
}

// ask starts the check, unless it runs. Who asked first may be gone before it answers: others wait for it too.
func (c *namedCheck) ask(ctx context.Context) *answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running != nil {
		return c.running
	}
	a := &answer{done: make(chan struct{})}
	c.running = a
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), CheckTimeout)
	go func() {
		defer cancel()
		a.err = c.safely(ctx)
		c.mu.Lock()
		c.running = nil
		c.mu.Unlock()
		close(a.done)
	}()
	return a
}

func (c *namedCheck) safely(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the check panicked: %v", p)
		}
	}()
	return c.check(ctx)
}

func (a *answer) wait(ctx context.Context) error {
	select {
	case <-a.done:
		return a.err
	case <-ctx.Done():
	}
	// Both may be there: a check that answered in time is believed.
	select {
	case <-a.done:
		return a.err
	default:
		return errors.New("no answer in time")
	}
}
