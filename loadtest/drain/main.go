// Command drain measures a rolling deploy as clients notice it: a gateway that holds 10,000 sockets is told to stop, and
// starts again.
//
//	go run ./loadtest/drain             writes docs/benchmarks/deploy.md
//	QUICK=1 go run ./loadtest/drain     500 sockets; prints only
//
// Two gateways, a deliver and a presence run on engines that it starts. Idle clients connect to the first gateway and come
// back as the official client does. Meanwhile people talk at both gateways, of which everything is written down and judged
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
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/loadtest/bench"
	"github.com/dozaar/dozaar/loadtest/load"
	"github.com/dozaar/dozaar/loadtest/stack"
)

// page gets what was measured.
const page = "docs/benchmarks/deploy.md"

// plan is what is measured.
type plan struct {
	sockets int           // idle, at the gateway that is drained
	over    time.Duration // over which it closes them
	rate    float64       // messages a second, at both gateways, and as many at the other one alone
	quiet   time.Duration // before
}

func main() {
	p := plan{10_000, 12 * time.Second, 20, 30 * time.Second}
	quick := os.Getenv("QUICK") == "1"
	if quick {
		p = plan{500, 5 * time.Second, 20, 10 * time.Second}
	}
	flag.IntVar(&p.sockets, "sockets", p.sockets, "idle sockets at the gateway that is drained")
	flag.DurationVar(&p.over, "over", p.over, "the time over which they are closed (DOZAAR_DRAIN_OVER)")
	flag.Float64Var(&p.rate, "rate", p.rate, "messages a second of those whose every message is judged, and of those whose latency is measured")
	flag.DurationVar(&p.quiet, "quiet", p.quiet, "how long before it the latency is measured")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	text, err := p.measure(ctx)
	stop()
	if err == nil {
		fmt.Println(text)
		if !quick {
			err = bench.Publish(page, "drain", text)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "drain:", err)
		os.Exit(1)
	}
}

func (p plan) measure(ctx context.Context) (text string, err error) {
	dir, err := os.MkdirTemp("", "dozaar-drain-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a folder for this run
	engines, err := stack.StartEngines(ctx, "drain")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, engines.Stop()) }()
	product, err := stack.StartProduct(ctx, engines, dir, "DOZAAR_DRAIN_OVER="+p.over.String(), "DOZAAR_SHUTDOWN_TIMEOUT="+(p.over+20*time.Second).String())
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, product.Stop()) }()
	one, other := product.Named(stack.GatewayA), product.Named(stack.GatewayB)
	urls := []string{"http://" + one.Listen, "http://" + other.Listen}
	crowd := newCrowd(load.NewDozaar(urls, []byte(product.Secret)), p.sockets)
	idle, leave := context.WithCancel(ctx)
	defer leave()
	if err := crowd.connect(idle); err != nil {
		return "", err
	}
	fmt.Fprintf(os.Stderr, "%d sockets are open\n", p.sockets)

	m := &measurement{plan: p, one: one, other: other, crowd: crowd, phases: make(chan string, 3)}
	group, talking := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		m.judged, err = load.Run(talking, p.talk(filepath.Join(dir, "both"), product.Secret, m.drain, urls...))
		return err
	})
	others := filepath.Join(dir, "others")
	group.Go(func() (err error) {
		m.others, err = load.Run(talking, p.talk(others, product.Secret, m.wait, urls[1]))
		return err
	})
	if err := group.Wait(); err != nil {
		return "", err
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
