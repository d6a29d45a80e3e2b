package main

import (
	"context"
	"fmt"
	"time"

	"github.com/dozaar/dozaar/loadtest/bench"
	"github.com/dozaar/dozaar/loadtest/converse"
	"github.com/dozaar/dozaar/loadtest/stack"
)

// idle is not a rate: nothing is sent. What processes use then is part of what a message costs at low rates.
const idle = rate(-1)

func (s *stage) idle() error {
	used, err := spent(s.pids, func() error {
		time.Sleep(s.plan.floorLength)
		return nil
	})
	for name, seconds := range used {
		s.results.add(idle, "cpu "+name, seconds/s.plan.floorLength.Seconds()*1e3)
	}
	return err
}

// phase measures one thing at one rate and adds what it found to the results.
type phase struct {
	name string
	run  func(ctx context.Context, r rate) error
}

// round measures everything at every rate. The phases take turns: another one is the first in each round.
func (s *stage) round(ctx context.Context, round int) error {
	if err := s.idle(); err != nil {
		return err
	}
	for _, r := range s.plan.rates {
		phases := s.phases(r)
		for i := range phases {
			p := phases[(i+round)%len(phases)]
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := p.run(ctx, r); err != nil {
				return fmt.Errorf("%s at %s: %w", p.name, r, err)
			}
			say("round %d, %s: %s", round+1, r, p.name)
		}
	}
	return nil
}

func (s *stage) phases(r rate) []phase {
	phases := []phase{
		{"pipeline", s.pipeline},
		{"raw Kafka", s.floor("kafka", "", 1)},
		{"raw Redis", s.rawRedis},
		{"bare websockets", s.bareSockets},
	}
	kinds := []string{"message", promptly, "message row", "read", "inboxes"}
	if r == 0 { // each row and each variant by itself, too
		kinds = []string{promptly, "read", "inboxes"}
		for _, row := range storedRows() {
			kinds = append(kinds, row.name)
		}
		for _, v := range variants() {
			kinds = append(kinds, v.name)
		}
	}
	for _, kind := range kinds {
		phases = append(phases, phase{"raw Cassandra, " + kind, s.floor("cassandra", kind, 1)})
	}
	return phases
}

// usage is what processes used between two looks, in seconds of CPU.
type usage map[string]float64

// spent is what the processes used while something was done.
func spent(pids map[string]int, do func() error) (usage, error) {
	before, err := bench.CPUSecondsOf(pids)
	if err != nil {
		return nil, err
	}
	if err := do(); err != nil {
		return nil, err
	}
	u, err := bench.CPUSecondsOf(pids)
	for name := range u {
		u[name] -= before[name]
	}
	return u, err
}

// send has the client send messages, and notes what should not have happened.
func (s *stage) send(o converse.Order, h *converse.Heard) error {
	if err := s.client.Ask(converse.Command{Do: "run", Order: o}, h); err != nil {
		return err
	}
	if s.faults = h.Faults; !s.faults.None() {
		return s.verdict()
	}
	return nil
}

// pipeline measures the product itself.
func (s *stage) pipeline(ctx context.Context, r rate) error {
	if err := s.send(s.plan.order(r, s.plan.warm), &converse.Heard{}); err != nil {
		return err
	}
	pids := map[string]int{"client": s.client.PID()}
	for name, pid := range s.pids {
		pids[name] = pid
	}
	entries, err := s.relay.added(ctx)
	if err != nil {
		return err
	}
	before, err := s.tables.counts()
	if err != nil {
		return err
	}
	waitedBefore, err := totals(ctx, s.product)
	if err != nil {
		return err
	}
	var h converse.Heard
	used, err := spent(pids, func() error { return s.send(s.plan.order(r, s.plan.length), &h) })
	if err != nil {
		return err
	}
	waited, err := totals(ctx, s.product)
	if err != nil {
		return err
	}
	s.noteWaits(r, waitedBefore, waited)
	now, err := s.tables.counts()
	if err != nil {
		return err
	}
	added, err := s.relay.added(ctx)
	if err != nil {
		return err
	}
	note := func(name string, value float64) { s.results.add(r, name, value) }
	note("pipeline rate", h.PerSecond())
	note("pipeline p50", h.Took.P50)
	note("pipeline p99", h.Took.P99)
	note("ack p50", h.Acked.P50)
	note("ack p99", h.Acked.P99)
	own := 0.0
	for name, seconds := range used {
		note("cpu "+name, seconds/float64(h.Count)*1e6)
	}
	for _, name := range stack.Roles {
		own += used[name] / float64(h.Count) * 1e6
	}
	note("cpu own", own)
	note("entries", float64(added-entries)/float64(h.Count))
	for table, count := range now {
		note("table "+table, (count-before[table])/float64(h.Count))
	}
	s.results.entries[r], err = s.relay.sample(ctx, 200)
	return err
}

// floor is a phase that drives one of the floors, which has its engine's name. times is how often that is done for
// one message.
func (s *stage) floor(name, kind string, times float64) func(context.Context, rate) error {
	return func(_ context.Context, r rate) error {
		warm, measured := s.plan.order(r, s.plan.floorWarm), s.plan.order(r, s.plan.floorLength)
		warm.PerSecond *= times
		measured.PerSecond *= times
		if err := s.floors[name].Ask(floorCommand{Do: "run", Kind: kind, Order: warm}, &converse.Outcome{}); err != nil {
			return err
		}
		var o converse.Outcome
		pids := map[string]int{"client": s.floors[name].PID(), "engine": s.pids[name]}
		used, err := spent(pids, func() error {
			return s.floors[name].Ask(floorCommand{Do: "run", Kind: kind, Order: measured}, &o)
		})
		if err == nil && o.Lost > 0 {
			err = fmt.Errorf("%d of %d were lost", o.Lost, o.Count)
		}
		if err != nil {
			return err
		}
		label := name
		if kind != "" {
			label = kind
		}
		s.noteFloor(r, label, o, used, times)
		return nil
	}
}

// noteFloor adds a floor's outcome.
func (s *stage) noteFloor(r rate, label string, o converse.Outcome, used usage, times float64) {
	each := times * 1e6 / float64(o.Count)
	s.results.add(r, "floor "+label+" rate", o.PerSecond())
	s.results.add(r, "floor "+label+" p50", o.Took.P50)
	s.results.add(r, "floor "+label+" client", used["client"]*each)
	s.results.add(r, "floor "+label+" engine", used["engine"]*each)
}

// rawRedis appends as many entries for a message as the product did at this rate, with their bytes.
func (s *stage) rawRedis(ctx context.Context, r rate) error {
	entries := s.results.entries[r]
	times := bench.Median(s.results.values[r]["entries"])
	if err := s.floors["redis"].Ask(floorCommand{Do: "open", Addresses: s.engines.Redis(), Entries: entries}, &struct{}{}); err != nil {
		return err
	}
	return s.floor("redis", "", times)(ctx, r)
}

// bareSockets has the client do at the bare server what it does at the gateways.
func (s *stage) bareSockets(_ context.Context, r rate) error {
	if err := s.bare.Ask(converse.Command{Do: "run", Order: s.plan.order(r, s.plan.floorWarm)}, &converse.Heard{}); err != nil {
		return err
	}
	var h converse.Heard
	used, err := spent(map[string]int{"client": s.floors["sockets"].PID()}, func() error {
		return s.bare.Ask(converse.Command{Do: "run", Order: s.plan.order(r, s.plan.floorLength)}, &h)
	})
	if err == nil && !h.Faults.None() {
		err = fmt.Errorf("the bare server: %+v", h.Faults)
	}
	if err != nil {
		return err
	}
	s.noteFloor(r, "sockets", h.Outcome, used, 1)
	return nil
}
