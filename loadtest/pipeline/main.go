// Command pipeline measures how the cost of a message is spread, from its send by one client to its arrival at
// two others on another gateway, over the product's processes and the engines behind them; and beside it, in the
// same rounds, what the engines' raw clients and a bare websocket server need for the same bytes: the floor.
//
//	go run ./loadtest/pipeline             three rounds (FULL=1: five); writes docs/benchmarks/pipeline.md
//	QUICK=1 go run ./loadtest/pipeline     one short round, under three minutes; prints only
//	go run ./loadtest/pipeline -profile    only the CPU profiles of the roles under load; prints only
//
// It starts everything itself, on loopback, and ends all that it started: Kafka, Cassandra and Redis by
// deploy/engines/engines.sh in a folder of its own, the roles as processes of their own, the client and the floors as
// further processes of this program. It knows the product as its clients do: by sockets, HTTP, records, streams
// and tables. Only the floors' statements are copied from the store, and a test compares them with its source.
//
// The way of a measurement: run.go goes through rounds and rates; engines.go, product.go and people.go build what
// is measured; load.go is the client, floor*.go are the floors, pace.go is when either begins something, sample.go
// takes the bytes that the floors send; rows.go is what a message is stored by, tables.go what Cassandra counts;
// report.go makes tables, profile.go text of CPU profiles.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/dozaar/dozaar/loadtest/converse"
)

func main() {
	if err := command(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pipeline:", err)
		os.Exit(1)
	}
}

func command(args []string) error {
	flags := flag.NewFlagSet("pipeline", flag.ContinueOnError)
	floor := flags.String("floor", "", "be the floor of this name (used by the program itself)")
	client := flags.Bool("client", false, "be the client (used by the program itself)")
	profile := flags.Bool("profile", false, "only profile the roles under load; prints only")
	rounds := flags.Int("rounds", 0, "so many rounds; prints only")
	keep := flags.String("keep", "", "a folder into which the CPU profiles are put too")
	window := flags.Int("window", 0, "so many messages under way where as many are sent as can be; prints only")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *client {
		return converse.Serve(os.Stdin, os.Stdout)
	}
	if *floor != "" {
		return serveFloor(context.Background(), *floor, os.Stdin, os.Stdout)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := fullPlan()
	switch {
	case os.Getenv("QUICK") == "1":
		p = quickPlan()
	case os.Getenv("FULL") == "1":
		p.rounds = 5
	}
	if *rounds > 0 {
		p.rounds, p.publish = *rounds, false
	}
	if *window > 0 {
		p.window, p.publish = *window, false
	}
	p.keep = *keep
	if *profile {
		p.rounds, p.publish = 0, false
	}
	return measure(ctx, os.Stdout, p)
}
