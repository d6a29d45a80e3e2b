// Command scaling measures how what a message and a socket cost grows with everything else, and projects it to other sizes.
//
//	go run ./loadtest/scaling                      measures; writes docs/scaling.md and docs/scaling.json
//	QUICK=1 go run ./loadtest/scaling              the first and last size of each series, briefly; prints only
//	go run ./loadtest/scaling size -messages 5000 -sockets 1000000      projects, from docs/scaling.json
//
// It starts engines and roles itself, a product of its own for each size, and ends and removes them.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/dozaar/dozaar/loadtest/bench"
)

const (
	page     = "docs/scaling.md"
	costFile = "docs/scaling.json"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "scaling:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 && args[0] == "size" {
		return size(args[1:], out)
	}
	if len(args) > 0 {
		return fmt.Errorf("%q is not known: say size, or nothing", args[0])
	}
	quick := os.Getenv("QUICK") == "1"
	measured, err := measure(ctx, quick)
	if err != nil {
		return err
	}
	text, costs := tables(measured), derive(measured)
	costs.Machine = bench.Machine()
	projected := "Projected:\n\n" + costs.table() + "\n" + projections(costs)
	fmt.Fprintln(out, text+"\n"+projected)
	if quick {
		return nil
	}
	encoded, err := json.MarshalIndent(costs, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(costFile, append(encoded, '\n'), 0o644); err != nil { //nolint:gosec // for everybody
		return err
	}
	if err := bench.Publish(page, "measured", text); err != nil {
		return err
	}
	return bench.Publish(page, "projected", projected)
}

// size projects for one marketplace.
func size(args []string, out io.Writer) error {
	file := ""
	m := typical
	flags := flag.NewFlagSet("scaling size", flag.ContinueOnError)
	flags.StringVar(&file, "costs", costFile, "what was measured")
	m.flags(flags)
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err := errors.Join(err, m.check()); err != nil {
		return err
	}
	encoded, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var c costs
	if err := json.Unmarshal(encoded, &c); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	fmt.Fprintf(out, "By %s, measured on: %s.\n\n", file, strings.Join(c.Machine, "; "))
	fmt.Fprint(out, c.table(), "\n", projection([]market{m}, c))
	return nil
}
