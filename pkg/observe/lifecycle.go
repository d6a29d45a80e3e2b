package observe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Lifecycle holds what a process is made of, in the order in which it was built, and stops it in
// reverse: tasks (a goroutine with Run(ctx) error) and teardowns (a function to call).
//
// errgroup cancels all its goroutines at the same moment. Here a part that others stand on is told to
// stop only when those have stopped: sockets are drained while the producer still works, the producer is
// flushed while the broker still runs.
//
// Use: build a thing, hand it to Go or OnStop at once, go on building; then Wait. If building fails,
// Stop undoes what is there.
type Lifecycle struct {
	log     *slog.Logger
	timeout time.Duration
	ended   chan struct{} // closed when the first task has ended by itself

	mu      sync.Mutex // guards the four below
	parts   []*part
	failed  *part // the first task that ended by itself
	failure error // and how
	stopped bool
}

type part struct {
	name   string
	cancel context.CancelFunc          // of a task
	done   chan error                  // of a task: what it returned; capacity 1
	stop   func(context.Context) error // of a teardown
}

// NewLifecycle returns an empty lifecycle. Stopping takes at most timeout; what has not stopped by then is
// named in the error and left behind, for the process is about to end.
func NewLifecycle(log *slog.Logger, timeout time.Duration) *Lifecycle {
	return &Lifecycle{log: log, timeout: timeout, ended: make(chan struct{})}
}

// Go starts a task at once. It is to return when its context ends; if it returns earlier, with an error or
// without, Wait stops everything. After Stop, nothing is started.
//
//nolint:contextcheck // a task outlives the context that it was built with: Stop ends it, in its turn
func (l *Lifecycle) Go(name string, run func(ctx context.Context) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &part{name: name, cancel: cancel, done: make(chan error, 1)}
	l.parts = append(l.parts, p)
	go func() {
		err := run(ctx)
		if ctx.Err() == nil {
			l.endedByItself(p, err)
		}
		p.done <- err
	}()
}

// OnStop registers a teardown. Its context ends when the time for stopping is over. It is for the goroutine
// that builds: what is registered after Stop is not called.
func (l *Lifecycle) OnStop(name string, stop func(ctx context.Context) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return
	}
	l.parts = append(l.parts, &part{name: name, stop: stop})
}

func (l *Lifecycle) endedByItself(p *part, err error) {
	if err == nil {
		err = errors.New("ended without being told to")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed == nil && !l.stopped {
		l.failed, l.failure = p, fmt.Errorf("%s: %w", p.name, err)
		close(l.ended)
	}
}

// Wait blocks until ctx ends or a task has ended by itself, then stops everything. It returns that task's
// error, if any, and those of stopping.
func (l *Lifecycle) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
	case <-l.ended:
	}
	return l.Stop()
}

// Stop stops everything in reverse order, one after the other, and returns what went wrong since the
// beginning. A second call does nothing.
//
//nolint:contextcheck // by now the caller's context has ended
func (l *Lifecycle) Stop() error {
	l.mu.Lock()
	parts, failed, failure, again := l.parts, l.failed, l.failure, l.stopped
	l.stopped = true
	l.mu.Unlock()
	if again {
		return nil
	}
	faults := []error{failure}
	if failure != nil {
		l.log.Error("stopping because of a failure", "error", failure)
	}
	ctx, cancel := context.WithTimeout(context.Background(), l.timeout)
	defer cancel()
	var late []string
	for i := len(parts) - 1; i >= 0; i-- {
		p := parts[i]
		begun := time.Now()
		inTime, err := p.end(ctx)
		switch {
		case !inTime:
			late = append(late, p.name)
		case err != nil && p != failed && !errors.Is(err, context.Canceled):
			faults = append(faults, fmt.Errorf("stopping %s: %w", p.name, err))
		}
		l.log.Debug("stopped", "part", p.name, "took", time.Since(begun), "in_time", inTime)
	}
	if late != nil {
		faults = append(faults, fmt.Errorf("did not stop within %s: %s", l.timeout, strings.Join(late, ", ")))
	}
	return errors.Join(faults...)
}

// end stops one part. Once the time is over, the parts that remain are still told, in order, but none is
// waited for longer than a moment.
func (p *part) end(ctx context.Context) (inTime bool, err error) {
	done := p.done
	if p.stop != nil {
		done = make(chan error, 1)
		go func() { done <- p.stop(ctx) }()
	} else {
		p.cancel()
	}
	select {
	case err := <-done:
		return true, err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return true, err
	case <-time.After(10 * time.Millisecond):
		return false, nil
	}
}
