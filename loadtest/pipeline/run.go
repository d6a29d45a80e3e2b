package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"time"

	"github.com/dozaar/dozaar/loadtest/bench"
	"github.com/dozaar/dozaar/loadtest/converse"
	"github.com/dozaar/dozaar/loadtest/stack"
)

// plan is how much is measured.
type plan struct {
	rounds        int
	publish       bool // write the page
	conversations int
	rates         []rate
	window        int // messages under way at once where as many are sent as can be

	heat                   time.Duration // before anything: Java compiles what is used often
	warm, length           time.Duration // of the pipeline, before and while it is measured
	floorWarm, floorLength time.Duration
	profile                time.Duration
	keep                   string // folder into which profiles are put, for whoever wants to look further
}

// rate is messages a second; 0: as many as can be.
type rate float64

func (r rate) String() string {
	if r == 0 {
		return "saturated"
	}
	return fmt.Sprintf("%g/s", float64(r))
}

func fullPlan() plan {
	return plan{
		rounds: 3, publish: true, conversations: floorTalks, rates: []rate{100, 500, 2000, 0}, window: 4 * floorTalks,
		heat: 20 * time.Second, warm: 3 * time.Second, length: 10 * time.Second, floorWarm: time.Second, floorLength: 5 * time.Second,
		profile: 15 * time.Second,
	}
}

func quickPlan() plan {
	p := fullPlan()
	p.rounds, p.publish = 1, false
	p.heat, p.warm, p.length = 4*time.Second, time.Second, 4*time.Second
	p.floorWarm, p.floorLength = 300*time.Millisecond, 1500*time.Millisecond
	p.profile = 5 * time.Second
	return p
}

func (p plan) order(r rate, length time.Duration) converse.Order {
	return converse.Order{PerSecond: float64(r), Seconds: length.Seconds(), Window: p.window}
}

// stage is everything that is running.
type stage struct {
	plan    plan
	engines *stack.Engines
	product *stack.Product
	pids    map[string]int // of the roles and the engines
	client  *bench.Child
	bare    *bench.Child // the client of the bare websocket server
	floors  map[string]*bench.Child
	relay   relay
	tables  *tables
	ids     []string // of the conversations
	results results
	faults  converse.Faults
}

// recipients is how many of a conversation do not send.
const recipients = 2

var allFloors = []string{"kafka", "cassandra", "redis", "sockets"}

// measure carries the plan out and tells what came of it.
func measure(ctx context.Context, out io.Writer, p plan) (err error) {
	if runtime.GOOS != "linux" {
		return errors.New("CPU time is read from /proc: Linux only")
	}
	dir, err := os.MkdirTemp("", "dozaar-pipeline-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a folder for this run
	say("starting the engines")
	e, err := stack.StartEngines(ctx, "pipeline")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Stop()) }()
	say("starting the product")
	product, err := stack.StartProduct(ctx, e, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, product.Stop()) }()
	s := &stage{plan: p, engines: e, product: product, floors: map[string]*bench.Child{}, results: newResults()}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.build(ctx); err != nil {
		return err
	}
	for round := range p.rounds {
		if err := s.round(ctx, round); err != nil {
			return err
		}
		say("round %d of %d done", round+1, p.rounds)
	}
	profiles, err := s.profiles(ctx)
	if err != nil {
		return err
	}
	if p.rounds == 0 {
		fmt.Fprint(out, profiles)
		return s.verdict()
	}
	report := s.report()
	fmt.Fprintln(out, report)
	if p.publish {
		if err := bench.Publish(pagePath, "measured", s.machine()+"\n"+report+"\n"+ranges(s.results, p)+"\n"+profiles); err != nil {
			return err
		}
	} else {
		fmt.Fprint(out, profiles)
	}
	return s.verdict()
}

// pagePath is where the numbers go.
const pagePath = "docs/benchmarks/pipeline.md"

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "pipeline: "+format+"\n", args...) }

// verdict is an error where messages were lost, came twice or in the wrong order: then no number counts.
func (s *stage) verdict() error {
	if !s.faults.None() {
		return fmt.Errorf("the messages did not arrive as they must: %+v", s.faults)
	}
	return nil
}

// build makes conversations, connects everybody, and takes samples of what is sent.
func (s *stage) build(ctx context.Context) error {
	var err error
	if s.pids, err = s.engines.PIDs(); err != nil {
		return err
	}
	maps.Copy(s.pids, s.product.PIDs())
	s.relay = openRelay(s.engines.Redis())
	if s.tables, err = openTables(s.engines.Cassandra(), stack.Keyspace); err != nil {
		return err
	}
	talks, err := s.product.Meet(ctx, s.plan.conversations, 1+recipients)
	if err != nil {
		return err
	}
	for _, t := range talks {
		s.ids = append(s.ids, t.ID)
	}
	say("connecting %d sockets", len(talks)*(1+recipients))
	if s.client, err = s.child(ctx, "the client", "-client"); err != nil {
		return err
	}
	if err := s.client.Ask(converse.Command{
		Do: "connect", Dialect: converse.Contract, Conversations: talks,
		Senders: s.product.Named(stack.GatewayA).Listen, Recipients: s.product.Named(stack.GatewayB).Listen,
	}, &struct{}{}); err != nil {
		return err
	}
	if err := s.send(s.plan.order(200, 3*time.Second), &converse.Heard{}); err != nil { // every conversation at least once
		return err
	}
	if err := s.send(s.plan.order(0, s.plan.heat), &converse.Heard{}); err != nil {
		return err
	}
	if s.plan.rounds == 0 {
		return nil
	}
	return s.openFloors(ctx, talks)
}

func (s *stage) openFloors(ctx context.Context, talks []converse.Conversation) error {
	records, err := sampleRecords(ctx, s.engines.Kafka(), len(talks))
	if err != nil {
		return err
	}
	var frames converse.Samples
	if err := s.client.Ask(converse.Command{Do: "samples"}, &frames); err != nil {
		return err
	}
	var bare string
	for _, name := range allFloors {
		if s.floors[name], err = s.child(ctx, "floor "+name, "-floor", name); err != nil {
			return err
		}
		open := floorCommand{Do: "open"}
		var answer any = &struct{}{}
		switch name {
		case "kafka":
			open.Addresses, open.Records = s.engines.Kafka(), records
		case "cassandra":
			open.Addresses, open.Keyspace, open.Conversations = s.engines.Cassandra(), stack.Keyspace, s.ids
		case "redis":
			continue // opened with the entries of each rate
		case "sockets":
			open.Samples, answer = frames, &bare
		}
		if err := s.floors[name].Ask(open, answer); err != nil {
			return err
		}
	}
	if s.bare, err = s.child(ctx, "the client of the bare server", "-client"); err != nil {
		return err
	}
	return s.bare.Ask(converse.Command{Do: "connect", Dialect: converse.Bare, Conversations: talks, Senders: bare, Recipients: bare}, &struct{}{})
}

func (s *stage) child(ctx context.Context, name string, args ...string) (*bench.Child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return bench.StartChild(ctx, name, self, args...)
}

func (s *stage) close() error {
	var failed error
	for _, c := range append([]*bench.Child{s.client, s.bare}, floorsOf(s.floors)...) {
		if c != nil {
			failed = errors.Join(failed, c.Stop())
		}
	}
	if s.relay.client != nil {
		failed = errors.Join(failed, s.relay.client.Close())
	}
	if s.tables != nil {
		s.tables.session.Close()
	}
	return failed
}

func floorsOf(m map[string]*bench.Child) (list []*bench.Child) {
	for _, name := range allFloors {
		list = append(list, m[name])
	}
	return list
}
