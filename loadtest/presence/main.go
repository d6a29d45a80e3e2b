// Command presence measures what it costs to know who is online: leases that are renewed, a storm of arrivals, and telling
// of a seller with very many conversations.
//
//	go run ./loadtest/presence              100,000 users on one gateway process, six minutes; writes docs/benchmarks/presence.md
//	QUICK=1 go run ./loadtest/presence      a tenth of it, in half a minute; prints only
//
// It starts a redis-server of its own, and a process that is a gateway's leases and announcer as cmd/dozaar builds them
// (gateway.go), without sockets: those are measured by loadtest/sockets. Operations and bytes are counted by Redis itself,
// each command within a script included; CPU is by /proc. The seller's conversations are in an SQLite file (seller.go).
//
// What it does not measure: networks, a cluster, Cassandra, Kafka.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/dozaar/dozaar/loadtest/bench"
	"github.com/dozaar/dozaar/pkg/presence"
)

const page = "docs/benchmarks/presence.md"

// plan is how much.
type plan struct {
	users, storm  int
	conversations []int // of sellers
	gateways      int   // at which the peers of a seller are
	ttl           time.Duration
}

func main() {
	serve := flag.String("serve", "", "be the gateway on this Redis (used by the program itself)")
	ttl := flag.Duration("ttl", presence.DefaultTTL, "of a lease")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if *serve != "" {
		err = serveGateway(ctx, *serve, *ttl, os.Stdin, os.Stdout)
	} else {
		err = measure(ctx, os.Stdout)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "presence:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, out io.Writer) error {
	quick := os.Getenv("QUICK") == "1"
	p := plan{users: 100_000, storm: 20_000, conversations: []int{500, 2_000, 20_000}, gateways: 10, ttl: presence.DefaultTTL}
	if quick {
		p = plan{users: 10_000, storm: 2_000, conversations: []int{50, 500, 2_500}, gateways: 3, ttl: 30 * time.Second}
	}
	text, err := report(ctx, p)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, text)
	if quick {
		return nil
	}
	return bench.Publish(page, "measured", text)
}

// report measures everything and makes the tables of it.
func report(ctx context.Context, p plan) (text string, err error) {
	r, err := startRedis(ctx)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	program, err := os.Executable()
	if err != nil {
		return "", err
	}
	child, err := bench.StartChild(ctx, "gateway", program, "-serve", r.addr, "-ttl", p.ttl.String())
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, child.Stop()) }()
	steady, err := measureSteady(ctx, p, r, child)
	if err != nil {
		return "", fmt.Errorf("leases: %w", err)
	}
	storm, err := measureStorm(ctx, p, r, child)
	if err != nil {
		return "", fmt.Errorf("storm: %w", err)
	}
	sellers, err := measureSellers(ctx, p, r)
	if err != nil {
		return "", fmt.Errorf("seller: %w", err)
	}
	machine := strings.Join(bench.Machine("github.com/redis/go-redis/v9", "modernc.org/sqlite"), ", ")
	return fmt.Sprintf("Measured on %s, redis-server %s.\n\n%s\n%s\n%s", machine, r.version, steady, storm, sellers), nil
}
