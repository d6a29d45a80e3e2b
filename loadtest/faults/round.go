package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/dozaar/dozaar/loadtest/history"
	"github.com/dozaar/dozaar/loadtest/load"
)

// playRound plays one round of one kind. An error is one of the injector: what the product did wrong is in the row.
func playRound(ctx context.Context, o options, program string, e *engines, k kind, n int) (r row, err error) {
	dir := filepath.Join(o.dir, fmt.Sprintf("%s-%d-%d", k.name, o.seed, n+1))
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o750)); err != nil {
		return r, err
	}
	say("round %d of %s", n+1, k.name)
	s := &stage{engines: e, random: rand.New(rand.NewPCG(o.seed, uint64(n+1)))}
	if s.product, err = newProduct(dir, program, e); err != nil {
		return r, err
	}
	if e.script(ctx, "status") != nil { // the round before has left something
		if err := e.script(ctx, "up"); err != nil {
			return r, err
		}
	}
	defer func() {
		if err = errors.Join(err, s.close()); err == nil && r.exitCode() == 0 {
			err = os.RemoveAll(dir)
		}
	}()
	if k.before != nil {
		if err := k.before(ctx, s); err != nil {
			return r, err
		}
	}
	if err := s.product.start(ctx); err != nil {
		return r, err
	}
	plan := s.plan(o, k, n, dir)
	result, err := load.Run(ctx, plan)
	if err != nil {
		return r, err
	}
	if r, err = newRow(ctx, o, k, n, plan, result); err != nil {
		return r, err
	}
	r.Stuck = s.product.stuck()
	say("%s", r)
	if r.exitCode() == 0 {
		return r, nil
	}
	report, err := os.Create(filepath.Join(dir, "verdict")) //nolint:gosec // in our own folder
	if err != nil {
		return r, err
	}
	result.Latency.Print(report)
	result.Verdict.Print(report)
	say("kept: %s", dir)
	return r, report.Close()
}

// plan is the load around the fault.
func (s *stage) plan(o options, k kind, n int, dir string) load.Plan {
	plan := load.DefaultPlan()
	plan.Target = load.NewDozaar(s.product.gateways(), []byte(secret))
	plan.Rate, plan.Conversations, plan.Seed = cmp.Or(o.rate, defaultRate(k.set)), o.conversations, o.seed+uint64(n)
	plan.Moves = float64(o.conversations) / 250 // who has left cannot come back, nor send, while the store is away
	plan.Duration, plan.Settle = 0, cmp.Or(o.settle, 90*time.Second)
	plan.History, plan.Out = filepath.Join(dir, "history"), os.Stderr
	plan.Check = history.Options{Examples: o.examples, ConflictsMayBeLost: k.losesConflicts}
	plan.During = func(ctx context.Context, note func(string)) error {
		s.note = note
		if err := wait(ctx, o.quiet); err != nil {
			return err
		}
		if err := k.do(ctx, s); err != nil {
			return err
		}
		return wait(ctx, o.tail)
	}
	return plan
}

func defaultRate(set string) float64 {
	if set == single {
		return 1000
	}
	return 300
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// close ends what the round started.
func (s *stage) close() error {
	err := s.product.stop()
	for _, undo := range slices.Backward(s.undoing) {
		err = errors.Join(err, undo())
	}
	return err
}
