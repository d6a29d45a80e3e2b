// Command drain measures a rolling deploy as clients notice it: a gateway that holds 10,000 sockets is told to stop, and
// starts again.
//
//	go run ./loadtest/drain             writes docs/benchmarks/deploy.md
//	QUICK=1 go run ./loadtest/drain     500 sockets; prints only
//	go run ./loadtest/drain -only 2     one of the table's columns; prints only
//
// Two gateways, a deliver and a presence run on engines that it starts. Clients connect to the first gateway and come
// back as the official client does: idle ones first, then such as join a conversation and ask for what they have missed. Meanwhile people talk at both gateways, of which everything is written down and judged
// (loadtest/history), and others talk at the second gateway alone, whose latency is compared with what it was before.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/loadtest/bench"
	"github.com/dozaar/dozaar/loadtest/load"
	"github.com/dozaar/dozaar/loadtest/stack"
)

// joinsAtOnce is the default of DOZAAR_JOINS_AT_ONCE.
const joinsAtOnce = 16

// page gets what was measured.
const page = "docs/benchmarks/deploy.md"

// plan is what is measured.
type plan struct {
	sockets int           // at the gateway that is drained
	over    time.Duration // over which it closes them
	rate    float64       // messages a second, at both gateways, and as many at the other one alone
	quiet   time.Duration // before
	missed  int           // messages in each client's conversation
	idle    bool          // the clients have left it, and ask for none of them when they are back
	joins   int           // DOZAAR_JOINS_AT_ONCE
}

func main() {
	p := plan{sockets: 10_000, over: 12 * time.Second, rate: 20, quiet: 30 * time.Second, missed: 20}
	quick := os.Getenv("QUICK") == "1"
	if quick {
		p.sockets, p.over, p.quiet = 500, 5*time.Second, 10*time.Second
	}
	flag.IntVar(&p.sockets, "sockets", p.sockets, "sockets at the gateway that is drained")
	flag.DurationVar(&p.over, "over", p.over, "the time over which they are closed (DOZAAR_DRAIN_OVER)")
	flag.Float64Var(&p.rate, "rate", p.rate, "messages a second of those whose every message is judged, and of those whose latency is measured")
	flag.DurationVar(&p.quiet, "quiet", p.quiet, "how long before it the latency is measured")
	flag.IntVar(&p.missed, "missed", p.missed, "messages that each client has missed when it is back")
	flag.IntVar(&p.joins, "joins", joinsAtOnce, "DOZAAR_JOINS_AT_ONCE in the columns that have a bound")
	only := flag.Int("only", 0, "which column of the table to measure, from 1 on; 0: all of them")
	child := flag.Bool("crowd", false, "be the crowd (used by the program itself)")
	flag.Parse()
	if *child {
		if err := serve(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "drain:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	text, err := p.table(ctx, *only)
	stop()
	if err == nil {
		fmt.Println(text)
		if !quick && *only == 0 {
			err = bench.Publish(page, "drain", text)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "drain:", err)
		os.Exit(1)
	}
}

// column is one measurement of the table.
type column struct {
	plan
	head string
}

// gentleRate is at how many sockets a second others should notice nothing.
const gentleRate = 120

// columns are clients that are idle, and clients that catch up: as many at once as by default, all at once, and over so long that others
// should not notice.
func (p plan) columns() []column {
	idle, turns, atOnce, gentle := p, p, p, p
	idle.idle, atOnce.joins, gentle.over = true, p.sockets, (time.Duration(p.sockets) * time.Second / gentleRate).Round(time.Second)
	return []column{
		{idle, "idle clients"},
		{turns, fmt.Sprintf("each in a conversation, %d messages behind; %d joins at once", p.missed, p.joins)},
		{atOnce, "the same, all joins at once"},
		{gentle, fmt.Sprintf("as by default, closed at %d a second", gentleRate)},
	}
}

// table measures all columns, or only one of them.
func (p plan) table(ctx context.Context, only int) (string, error) {
	head, lines := "| |", []string{}
	for i, c := range p.columns() {
		if only != 0 && only != i+1 {
			continue
		}
		rows, err := c.measure(ctx)
		if err != nil {
			return "", fmt.Errorf("%s: %w", c.head, err)
		}
		fmt.Fprintln(os.Stderr, rows)
		head += " " + c.head + " |"
		for at, r := range rows {
			if at == len(lines) {
				lines = append(lines, "| "+r.what+" |")
			}
			lines[at] += " " + r.was + " |"
		}
	}
	if len(lines) == 0 {
		return "", fmt.Errorf("-only %d: there are %d columns", only, len(p.columns()))
	}
	return fmt.Sprintf("Measured on: %s.\n\n%s\n%s\n%s\n", strings.Join(bench.Machine(), "; "),
		head, strings.Repeat("|---", strings.Count(head, "|")-1)+"|", strings.Join(lines, "\n")), nil
}

func (p plan) measure(ctx context.Context) (rows []row, err error) {
	dir, err := os.MkdirTemp("", "dozaar-drain-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a folder for this run
	engines, err := stack.StartEngines(ctx, "drain")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, engines.Stop()) }()
	product, err := stack.StartProduct(ctx, engines, dir, "DOZAAR_DRAIN_OVER="+p.over.String(), "DOZAAR_SHUTDOWN_TIMEOUT="+(2*p.over+20*time.Second).String(), fmt.Sprintf("DOZAAR_JOINS_AT_ONCE=%d", p.joins))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, product.Stop()) }()
	one, other := product.Named(stack.GatewayA), product.Named(stack.GatewayB)
	urls := []string{"http://" + one.Listen, "http://" + other.Listen}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	crowd, err := bench.StartChild(ctx, "the crowd", self, "-crowd")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, crowd.Stop()) }()
	orders := []order{{Do: "connect", Gateways: urls, Secret: product.Secret, Sockets: p.sockets}, {Do: "talk", Messages: p.missed}}
	if p.idle { // what is compared comes after the same, on engines as warm
		orders = append(orders, order{Do: "leave"})
	}
	for _, o := range orders {
		if err := crowd.Ask(o, &struct{}{}); err != nil {
			return nil, err
		}
		fmt.Fprintf(os.Stderr, "%d clients did %s\n", p.sockets, o.Do)
	}

	pids, err := engines.PIDs()
	if err != nil {
		return nil, err
	}
	pids["other gateway"], pids["deliver"], pids["clients"] = other.PID(), product.Named(stack.Deliver).PID(), crowd.PID()
	m := &measurement{plan: p, one: one, other: other, pids: pids, crowd: crowd, phases: make(chan string, 4)}
	group, talking := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		m.judged, err = load.Run(talking, p.talk(filepath.Join(dir, "both"), product.Secret, m.drain, urls...))
		return err
	})
	others := filepath.Join(dir, "others")
	group.Go(func() (err error) {
		talk := p.talk(others, product.Secret, m.wait, urls[1])
		talk.Moves = 0 // who leaves and comes back takes a turn among all who join: that is no live message's latency
		m.others, err = load.Run(talking, talk)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return m.report(others)
}

// talk is people who talk for as long as during takes.
func (p plan) talk(file, secret string, during func(context.Context, func(string)) error, gateways ...string) load.Plan {
	plan := load.DefaultPlan()
	plan.Target, plan.History, plan.During = load.NewDozaar(gateways, []byte(secret)), file, during
	plan.Rate, plan.Conversations, plan.Duration, plan.Guests = p.rate, 20, 0, 0
	return plan
}
