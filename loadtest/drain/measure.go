package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dozaar/dozaar/loadtest/bench"
	"github.com/dozaar/dozaar/loadtest/history"
	"github.com/dozaar/dozaar/loadtest/load"
	"github.com/dozaar/dozaar/loadtest/stack"
)

// The parts of a measurement, as they are remarked in the histories.
const (
	quiet    = "quiet"
	draining = "draining"    // until all are back
	catching = "catching up" // until all have caught up
	after    = "after"
)

type measurement struct {
	plan
	one, other *stack.Service
	pids       map[string]int // whose CPU is told
	crowd      *bench.Child
	phases     chan string // for wait

	judged, others load.Result
	took           time.Duration // of the gateway, to end
	full           float64       // MB of memory: the one, with its sockets
	before, most   float64       // the other one, without them and with them
	cores          []string      // how many each of pids used until all had caught up
}

// drain is what happens while people talk: some quiet, then the gateway is told to stop, and starts again once it has ended and
// its clients are back.
func (m *measurement) drain(ctx context.Context, note func(string)) error {
	defer close(m.phases)
	enter := func(phase string) {
		note(phase)
		m.phases <- phase
	}
	pause(ctx, 5*time.Second) // people connect
	enter(quiet)
	pause(ctx, m.quiet)
	m.before, m.full = resident(m.other), resident(m.one)
	enter(draining)
	if err := m.ask("begin"); err != nil {
		return err
	}
	begun := time.Now()
	used, err := bench.CPUSecondsOf(m.pids)
	if err != nil {
		return err
	}
	if err := m.one.Stop(); err != nil {
		return err
	}
	m.took = time.Since(begun)
	if err := m.ask("be back"); err != nil {
		return err
	}
	enter(catching)
	if err := m.ask("catch up"); err != nil {
		return err
	}
	if err := errors.Join(m.meter(used, time.Since(begun)), m.one.Start(ctx)); err != nil {
		return err
	}
	m.most = resident(m.other)
	enter(after)
	pause(ctx, 5*time.Second)
	return ctx.Err()
}

// ask tells the crowd to do something, and waits until it has.
func (m *measurement) ask(do string) error { return m.crowd.Ask(order{Do: do}, &struct{}{}) }

// meter tells how many cores each process has used for so long.
func (m *measurement) meter(before map[string]float64, lasting time.Duration) error {
	now, err := bench.CPUSecondsOf(m.pids)
	for _, name := range slices.Sorted(maps.Keys(now)) {
		m.cores = append(m.cores, fmt.Sprintf("%s %.2f", name, (now[name]-before[name])/lasting.Seconds()))
	}
	return err
}

// wait is what happens meanwhile to those who talk at the other gateway alone: nothing. It notes when.
func (m *measurement) wait(ctx context.Context, note func(string)) error {
	for {
		select {
		case phase, going := <-m.phases:
			if !going {
				return nil
			}
			note(phase)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// row is a line of the table.
type row struct{ what, was string }

// report fails where anything was found, or somebody did not come back.
func (m *measurement) report(others string) ([]row, error) {
	for _, r := range []load.Result{m.judged, m.others} {
		if r.Verdict.ExitCode() != 0 {
			var said strings.Builder
			r.Verdict.Print(&said)
			return nil, errors.New(said.String())
		}
	}
	parts, err := load.Phases(history.File(others))
	if err != nil {
		return nil, err
	}
	var of noted
	if err := m.crowd.Ask(order{Do: "tell"}, &of); err != nil {
		return nil, err
	}
	gone, back, caught := of.Gone, of.Back, of.Caught
	if len(gone) != m.sockets || len(back) != m.sockets {
		return nil, fmt.Errorf("of %d clients %d were cut and %d came back, each once", m.sockets, len(gone), len(back))
	}
	last := len(gone) - 1
	calm, busy := parts[quiet], parts[draining]
	counts := m.judged.Verdict.Counts
	caughtUp := ""
	if len(caught) > 0 {
		caughtUp = fmt.Sprintf("%s to %s; %d", seconds(caught[0]), seconds(caught[len(caught)-1]), most(caught))
	}
	return []row{
		{"sockets of the gateway that was told to stop; over which time", fmt.Sprintf("%d; %v", m.sockets, m.over)},
		{"it ended after", seconds(m.took)},
		{"clients were cut from, to; most within a second", fmt.Sprintf("%s to %s; %d", seconds(gone[0]), seconds(gone[last]), most(gone))},
		{"clients were back at the other from, to; most within a second", fmt.Sprintf("%s to %s; %d", seconds(back[0]), seconds(back[last]), most(back))},
		{"they had caught up from, to; most within a second", caughtUp},
		{"messages of people at both gateways, acknowledged and judged; findings", fmt.Sprintf("%d, on %d devices, of which %d reconnections; none", counts.Acked, counts.Devices, counts.Reconnects)},
		{"people at the other gateway: delivered, p50, p99 before", latency(calm.Delivered, calm.Delivered)},
		{"the same while clients were cut and came back", latency(busy.Delivered, calm.Delivered)},
		{"the same while they caught up", latency(parts[catching].Delivered, calm.Delivered)},
		{"cores used until all had caught up", strings.Join(m.cores, ", ")},
		{"memory of the gateway with the sockets, MB", fmt.Sprintf("%.0f", m.full)},
		{"memory of the other one, before and with them, MB", fmt.Sprintf("%.0f; %.0f", m.before, m.most)},
	}, nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// latency is q, and how its p99 is to that of when all was quiet.
func latency(q, calm load.Quantiles) string {
	if q.Count == 0 {
		return ""
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
	return fmt.Sprintf("%d; %.1f ms, %.1f ms (%.1f times)", q.Count, ms(q.P50), ms(q.P99), float64(q.P99)/float64(calm.P99))
}

// resident is a process's memory in MB; 0: it cannot be told.
func resident(s *stack.Service) float64 {
	bytes, err := bench.ResidentBytes(s.PID())
	if err != nil {
		return 0
	}
	return float64(bytes) / 1e6
}
