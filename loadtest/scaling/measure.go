package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/dozaar/dozaar/loadtest/load"
	"github.com/dozaar/dozaar/loadtest/stack"
)

// outcome is what one point came to.
type outcome struct {
	seconds, messages, deliveries float64            // while it was measured
	cores                         map[string]float64 // by kind of process: of CPU
	bytes                         map[string]float64 // by kind: resident, when all devices had connected
	p50, p99                      time.Duration      // until a message is at a device
}

// result is the outcomes of a series, by value.
type result struct {
	series
	outcomes map[int]outcome
}

// kinds are those of processes.
var kinds = []string{"gateway", "deliver", "presence", "kafka", "cassandra", "redis"}

// rig is engines that run, and what their topics have. They are kept from point to point: a Java program that has just been
// started uses more.
type rig struct {
	engines    *stack.Engines
	partitions int
	quick      bool
}

// measure does each point of each series; one that is in several series once.
func measure(ctx context.Context, quick bool) (all []result, err error) {
	r := &rig{quick: quick}
	defer func() { err = errors.Join(err, r.stop()) }()
	known := map[point]outcome{}
	for _, s := range allSeries() {
		if quick {
			s.values = []int{s.values[0], s.values[len(s.values)-1]}
		}
		got := result{s, map[int]outcome{}}
		for _, v := range s.values {
			p := s.at(v)
			o, found := known[p]
			if !found {
				fmt.Fprintf(os.Stderr, "%s: %d\n", s.name, v)
				if o, err = r.measure(ctx, p); err != nil {
					return nil, fmt.Errorf("%d %s: %w", v, s.name, err)
				}
				known[p] = o
			}
			got.outcomes[v] = o
		}
		all = append(all, got)
	}
	return all, nil
}

func (r *rig) stop() error {
	if r.engines == nil {
		return nil
	}
	e := r.engines
	r.engines = nil
	return e.Stop()
}

// measure runs one point on roles of its own.
func (r *rig) measure(ctx context.Context, p point) (o outcome, err error) {
	if r.partitions == p.partitions {
		return r.run(ctx, p)
	}
	if err := r.stop(); err != nil {
		return o, err
	}
	if r.engines, err = stack.StartEngines(ctx, "scaling"); err != nil {
		return o, err
	}
	r.partitions = p.partitions
	warm := base
	warm.partitions = p.partitions
	if _, err := r.run(ctx, warm); err != nil { // for Java to compile what is used often
		return o, err
	}
	return r.run(ctx, p)
}

func (r *rig) run(ctx context.Context, p point) (o outcome, err error) {
	dir, err := os.MkdirTemp("", "dozaar-scaling-")
	if err != nil {
		return o, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a folder for this run
	product, err := stack.StartProduct(ctx, r.engines, dir, "DOZAAR_KAFKA_PARTITIONS="+strconv.Itoa(p.partitions))
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, product.Stop()) }()
	// The gateways that the stack has started, and more.
	gateways := []*stack.Service{product.Named(stack.GatewayA), product.Named(stack.GatewayB)}
	processes := map[string]load.Process{}
	if p.gateways < len(gateways) {
		if err := gateways[1].Stop(); err != nil {
			return o, err
		}
		gateways = gateways[:p.gateways]
	}
	for n := len(gateways); n < p.gateways; n++ {
		s, err := product.Start(ctx, fmt.Sprintf("gateway %d", n+1), "gateway")
		if err != nil {
			return o, err
		}
		gateways = append(gateways, s)
	}
	var urls []string
	for i, g := range gateways {
		urls = append(urls, "http://"+g.Listen)
		processes[fmt.Sprintf("gateway %d", i+1)] = load.Process(strconv.Itoa(g.PID()))
	}
	for n := 1; n < p.delivers; n++ {
		if _, err := product.Start(ctx, fmt.Sprintf("deliver %d", n+1), "deliver"); err != nil {
			return o, err
		}
	}
	pids, err := r.engines.PIDs()
	if err != nil {
		return o, err
	}
	for name, pid := range product.PIDs() {
		if !strings.HasPrefix(name, "gateway") && name != stack.Registry {
			pids[name] = pid
		}
	}
	for name, pid := range pids {
		processes[name] = load.Process(strconv.Itoa(pid))
	}
	plan := p.plan(urls, product.Secret, r.quick)
	plan.Processes, plan.History = processes, filepath.Join(dir, "history")
	got, err := load.Run(ctx, plan)
	if err != nil {
		return o, err
	}
	if got.Verdict.ExitCode() != 0 {
		var said strings.Builder
		got.Verdict.Print(&said)
		return o, errors.New(said.String())
	}
	return outcomeOf(got), nil
}

// plan is messages and nothing else, so that the cost is theirs.
func (p point) plan(urls []string, secret string, quick bool) load.Plan {
	plan := load.DefaultPlan()
	plan.Target = load.NewDozaar(urls, []byte(secret))
	plan.Conversations, plan.Members, plan.Devices, plan.Idle, plan.Rate, plan.Connects = p.conversations, p.members, 1, p.idle, p.rate, 500
	plan.Sellers = p.conversations // each has one: as many users as members
	plan.Reads, plan.Typing, plan.Nameless, plan.Conflicts, plan.Moves, plan.Guests, plan.Looks = 0, 0, 0, 0, 0, 0, 0
	plan.Warm, plan.Duration, plan.Settle = 8*time.Second, 28*time.Second, 2*time.Minute
	plan.Inboxes = 500 // ten thousand that have a conversation of ten thousand in them would take longer than all the rest
	if quick {
		plan.Warm, plan.Duration = 2*time.Second, 7*time.Second
	}
	return plan
}

func outcomeOf(r load.Result) outcome {
	c := r.Course
	o := outcome{
		seconds: c.Seconds, messages: float64(c.Messages), deliveries: float64(c.Deliveries),
		cores: map[string]float64{}, bytes: map[string]float64{}, p50: r.Latency.Delivered.P50, p99: r.Latency.Delivered.P99,
	}
	for _, cost := range c.Costs {
		kind, _, _ := strings.Cut(cost.Name, " ")
		o.cores[kind] += cost.CPU / c.Seconds
		o.bytes[kind] += float64(cost.Full)
	}
	return o
}
