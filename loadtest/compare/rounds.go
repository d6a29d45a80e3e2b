package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/dozaar/dozaar/loadtest/bench"
	"github.com/dozaar/dozaar/loadtest/converse"
	"github.com/dozaar/dozaar/loadtest/stack"
)

// plan is how much is measured.
type plan struct {
	rounds        int
	conversations int     // of two, in the marketplace
	rate          float64 // messages a second over them, at equal load; 0: half of what the slowest bears that stores them
	window        int     // messages under way where as many are sent as can be
	room          int     // members of the one big room
	roomRate      float64 // messages a second into it
	idle          int     // sockets, of two in a conversation, that say nothing

	heat, warm, length, rest time.Duration

	scenarios []scenario
	explain   bool // where the CPU and the memory go, by function
}

func fullPlan() plan {
	return plan{
		rounds: 3, conversations: 500, window: 2000, room: 500, roomRate: 20, idle: 5000,
		heat: 10 * time.Second, warm: 2 * time.Second, length: 10 * time.Second, rest: 15 * time.Second,
		scenarios: usual(),
	}
}

// plays tells whether a scenario is one of the plan's.
func (p plan) plays(name string) bool {
	return slices.ContainsFunc(p.scenarios, func(s scenario) bool { return s.name == name })
}

func quickPlan() plan {
	p := fullPlan()
	p.rounds, p.conversations, p.rate, p.window, p.room, p.idle = 1, 100, 200, 400, 100, 500
	p.heat, p.warm, p.length, p.rest = 2*time.Second, time.Second, 3*time.Second, 2*time.Second
	return p
}

// measure carries the plan out; the one that it returns has the rate that was found out. A system that fails is measured no further
// in that round; where ctx ends, there is what was measured by then.
func measure(ctx context.Context, p plan, chosen []system) (r *results, _ plan, err error) {
	if runtime.GOOS != "linux" {
		return nil, p, errors.New("CPU time is read from /proc: Linux only")
	}
	dir, err := os.MkdirTemp("", "dozaar-compare-")
	if err != nil {
		return nil, p, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a folder for this run
	for _, s := range chosen {
		if s.install != nil {
			say("installing %s", s.name)
			if err := s.install(ctx, dir); err != nil {
				return nil, p, err
			}
		}
	}
	say("starting the engines")
	engines, err := stack.StartEngines(ctx, "compare")
	if err != nil {
		return nil, p, err
	}
	defer func() { err = errors.Join(err, engines.Stop()) }()
	r = &results{}
	if p.rate == 0 {
		p.rate = p.bearable(ctx, chosen, engines, dir, r)
	}
	for r.round = range p.rounds {
		for i := range chosen {
			s := chosen[(i+r.round)%len(chosen)] // another one is the first in each round
			turn := fmt.Sprintf("round %d of %d: %s", r.round+1, p.rounds, s.name)
			say("%s", turn)
			err := try(ctx, p, s, engines, dir, r, p.scenarios...)
			if ctx.Err() != nil {
				return r, p, fmt.Errorf("ended in %s", turn)
			}
			if err != nil {
				r.fail(turn, err)
			}
		}
	}
	return r, p, explain(ctx, p, chosen, engines, dir, r)
}

// explain plays the scenarios once more with a system that can tell where its CPU goes. That costs some, so nothing of it counts.
func explain(ctx context.Context, p plan, chosen []system, e *stack.Engines, dir string, r *results) error {
	p.explain = true
	p.scenarios = slices.DeleteFunc(slices.Clone(p.scenarios), func(s scenario) bool { return s.other })
	for _, s := range chosen {
		if s.name != dozaar || len(p.scenarios) == 0 {
			continue
		}
		say("where the CPU of %s goes", s.name)
		explained := &results{}
		if err := try(ctx, p, s, e, dir, explained, p.scenarios...); err != nil {
			return fmt.Errorf("%s, explained: %w", s.name, err)
		}
		r.heap, r.cpu = explained.heap, explained.cpu
	}
	return nil
}

// bearable is half of what the slowest of the systems bears that store messages, in whole tens a second.
func (p plan) bearable(ctx context.Context, chosen []system, e *stack.Engines, dir string, r *results) float64 {
	rate, found := math.Inf(1), &results{}
	for _, s := range chosen {
		if !s.stores || ctx.Err() != nil {
			continue
		}
		say("what %s bears", s.name)
		if err := try(ctx, p, s, e, dir, found, scenario{"what it bears", (*trial).capacity, false}); err != nil {
			r.fail("what "+s.name+" bears", err)
			continue
		}
		rate = min(rate, max(10, math.Floor(found.of(s.name, saturatedRate)[0]/20)*10))
	}
	if math.IsInf(rate, 1) {
		rate = 500
	}
	say("equal load is %g messages a second", rate)
	return rate
}

// trial is one system in one round.
type trial struct {
	plan
	*running
	system  system
	results *results
	own     map[string]int // pids
	engines map[string]int
	left    time.Time // when the last client's people left
	arrival float64   // µs of own CPU for each socket that connected and joined last
}

func try(ctx context.Context, p plan, s system, e *stack.Engines, dir string, r *results, all ...scenario) (err error) {
	up, err := s.start(ctx, e, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, up.services.Stop()) }()
	t := &trial{plan: p, running: up, system: s, results: r, own: map[string]int{}}
	if t.engines, err = e.PIDs(); err != nil {
		return err
	}
	pids := up.services.PIDs()
	for _, name := range up.own {
		t.own[name] = pids[name]
	}
	for _, scenario := range all {
		if err := scenario.run(t, ctx); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", scenario.name, err), up.services.Dead())
		}
	}
	return nil
}

func (t *trial) note(name string, value float64) { t.results.add(t.system.name, name, value) }

// crowd is who a client is: so many conversations of so many members, of which some read slowly.
type crowd struct{ conversations, members, slow int }

// with has a client of its own connect a crowd, and ends it after what is done with it.
func (t *trial) with(ctx context.Context, c crowd, do func(*bench.Child) error) (err error) {
	met, err := t.meet(ctx, c.conversations, c.members)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	client, err := bench.StartChild(ctx, "the client", self, "-client")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Stop()) }()
	before, err := used(t.own)
	if err != nil {
		return err
	}
	if err := client.Ask(converse.Command{
		Do: "connect", Dialect: t.system.dialect, Senders: t.senders, Recipients: t.recipients, Conversations: met, Slow: c.slow, Speed: slowSpeed,
	}, &struct{}{}); err != nil {
		return err
	}
	now, err := used(t.own)
	if err != nil {
		return err
	}
	t.arrival = (now - before) / float64(c.conversations*c.members) * 1e6
	if err := t.settle(ctx); err != nil {
		return err
	}
	if err := do(client); err != nil {
		return err
	}
	defer func() { t.left = time.Now() }()
	var found converse.Faults
	if err := client.Ask(converse.Command{Do: "leave"}, &found); err != nil {
		return err
	}
	t.besides(found)
	return nil
}

// besides notes faults that are no measured order's.
func (t *trial) besides(f converse.Faults) {
	t.note("besides", float64(f.All()))
	if !f.None() {
		say("%s, besides: %+v", t.system.name, f)
	}
}

// warmed has the client send, and measures nothing.
func (t *trial) warmed(client *bench.Child, o converse.Order) error {
	var h converse.Heard
	if err := client.Ask(converse.Command{Do: "run", Order: o}, &h); err != nil {
		return err
	}
	t.besides(h.Faults)
	return nil
}

const (
	settleEvery  = 2 * time.Second
	settledBelow = 0.2 // cores
	settleAtMost = time.Minute
)

// settle waits until the system and the engines have done what is left to do when people have come and others have gone, such as
// telling who is online.
func (t *trial) settle(ctx context.Context) error {
	pids := t.processes()
	for began := time.Now(); time.Since(began) < settleAtMost; {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		before, err := used(pids)
		if err != nil {
			return err
		}
		time.Sleep(settleEvery)
		now, err := used(pids)
		if err != nil {
			return err
		}
		if now-before < settledBelow*settleEvery.Seconds() && time.Since(t.left) > t.system.grace {
			return nil
		}
	}
	say("%s did not come to rest within %s", t.system.name, settleAtMost)
	return nil
}

// measured has the client send, and notes what that cost and how it went.
func (t *trial) measured(ctx context.Context, client *bench.Child, name string, o converse.Order, recipients int) error {
	var h converse.Heard
	pids := t.processes()
	pids["client"] = client.PID()
	before, err := bench.CPUSecondsOf(pids)
	if err != nil {
		return err
	}
	explained := t.explained(ctx, name, o)
	if err := errors.Join(client.Ask(converse.Command{Do: "run", Order: o}, &h), explained()); err != nil {
		return err
	}
	now, err := bench.CPUSecondsOf(pids)
	if err != nil {
		return err
	}
	if h.Count == 0 || h.Count == h.Lost {
		return fmt.Errorf("nothing arrived: %+v", h.Faults)
	}
	own := 0.0
	for process := range pids {
		used := (now[process] - before[process]) / float64(h.Count) * 1e6
		if _, ours := t.own[process]; ours {
			own += used
		} else {
			t.note(name+" cpu "+process, used)
		}
	}
	t.note(name+" cpu", own)
	t.note(name+" cpu a delivery", own/float64(recipients+1)) // the sender is told, too
	t.note(name+" rate", h.PerSecond())
	t.heard(h, name)
	return nil
}

// heard notes how messages went.
func (t *trial) heard(h converse.Heard, name string) {
	for what, value := range map[string]float64{
		"acknowledged p50": h.Acked.P50, "p50": h.Took.P50, "p99": h.Took.P99, "p99.9": h.Took.P999, "max": h.Took.Max,
		"sent": float64(h.Count), "lost": float64(h.Faults.Lost), "twice": float64(h.Faults.Duplicated), "reordered": float64(h.Faults.Reordered),
		"altered": float64(h.Faults.Altered), "refused": float64(h.Faults.Refused),
	} {
		t.note(name+" "+what, value)
	}
	if !h.Faults.None() {
		say("%s, %s: %+v", t.system.name, name, h.Faults)
	}
}

// explained begins to look where the CPU goes while an order is carried out; what it returns waits for that.
func (t *trial) explained(ctx context.Context, name string, o converse.Order) (wait func() error) {
	if !t.explain || t.cpu == nil {
		return func() error { return nil }
	}
	failed := make(chan error, 1)
	go func() {
		time.Sleep(time.Second) // until there is something to see
		text, err := t.cpu(ctx, o.Length()-2*time.Second, name)
		t.results.cpu = append(t.results.cpu, text)
		failed <- err
	}()
	return func() error { return <-failed }
}

// processes are the system's own and the engines'.
func (t *trial) processes() map[string]int {
	all := maps.Clone(t.own)
	maps.Copy(all, t.engines)
	return all
}

// used is the CPU of processes so far, all together, in seconds.
func used(pids map[string]int) (sum float64, err error) {
	each, err := bench.CPUSecondsOf(pids)
	for _, seconds := range each {
		sum += seconds
	}
	return sum, err
}

// resident is the memory of the system's own processes, in bytes.
func (t *trial) resident() (sum float64, err error) {
	for name, pid := range t.own {
		bytes, err := bench.ResidentBytes(pid)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		sum += float64(bytes)
	}
	return sum, nil
}
