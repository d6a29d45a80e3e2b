// Command sockets measures pkg/socketio against what one would take instead of it: the library that it
// stands on, as it comes; Node's own Socket.IO server; and, as the floor, a bare gorilla/websocket
// server that knows no Socket.IO at all.
//
//	go run ./loadtest/sockets                  the whole measurement, five rounds; writes docs/benchmarks/sockets.md
//	QUICK=1 go run ./loadtest/sockets          one round with smaller numbers, in two minutes; prints only
//	go run ./loadtest/sockets -rounds 5 -only layer,node -scenarios echo-one,paced     some of it; prints only
//	go run ./loadtest/sockets -storm           what a client notices of those who are turned away; writes the same page
//	go run ./loadtest/sockets -profile         where the memory of an idle connection of ours goes; prints only
//
// Each measurement starts a server in a fresh process and a client in another, on loopback; the servers
// take turns within each round, so that whatever else the machine does falls on all of them. CPU is the
// server process's own, by getrusage; memory is its RSS, by /proc.
//
// What it does not measure: networks, TLS, polling, many cores. Numbers of one machine compare with
// each other and with nothing else; that is why the report gives ratios.
//
// The way of a measurement: run.go starts processes (process.go) and asks them (commands.go) for one
// scenario after the other (scenario.go). server.go is the servers' common half, layer.go, library.go,
// floor.go and node/server.mjs what each does by itself. client.go connects (loadtest/wire has the
// frames), load.go makes the load. report.go makes tables, profile.go the breakdown of memory, storm.go those
// who are turned away.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sockets:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("sockets", flag.ContinueOnError)
	server := flags.String("server", "", "be the server of this name (used by the program itself)")
	client := flags.Bool("client", false, "be the load client (used by the program itself)")
	exact := flags.Bool("exact", false, "with -server: keep a record of every allocation")
	profile := flags.Bool("profile", false, "only tell where the memory of an idle connection goes")
	storm := flags.Bool("storm", false, "measure what a connected client notices of those who are turned away")
	only := flags.String("only", "", "measure these alone, such as layer,node; prints only")
	scenarios := flags.String("scenarios", "", "measure these alone, of "+strings.Join(allScenarios, ",")+"; prints only")
	rounds := flags.Int("rounds", 0, "so many rounds instead of five; prints only")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case *server != "":
		if *exact {
			runtime.MemProfileRate = 1
		}
		return serve(*server, os.Stdin, os.Stdout)
	case *client:
		return serveLoad(os.Stdin, os.Stdout)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	plan := fullPlan()
	if os.Getenv("QUICK") == "1" {
		plan = quickPlan()
	}
	if err := plan.narrow(*only, *scenarios, *rounds); err != nil {
		return err
	}
	if *storm {
		return printStorms(ctx, os.Stdout, plan)
	}
	if *profile {
		return printBreakdown(ctx, os.Stdout, plan)
	}
	return measure(ctx, os.Stdout, plan)
}
