// Command compare puts Dozaar beside what else a marketplace could use: the same conversations, the same client, the same engines,
// one after the other, in turns.
//
//	go run ./loadtest/compare              three rounds; writes docs/benchmarks/comparison.md and its plots
//	FULL=1 go run ./loadtest/compare       five rounds, all scenarios
//	go run ./loadtest/compare -scenario others         those that only FULL=1 plays; writes their part of the page
//	QUICK=1 go run ./loadtest/compare      one short round; prints only. With FULL=1, too: of all scenarios
//	go run ./loadtest/compare -systems dozaar,node
//	go run ./loadtest/compare -scenario "idle sockets"
//	go run ./loadtest/compare -rate 520                the equal load of another machine
//
// It installs the rivals (loadtest/peers) with the versions that their lock files name, starts real engines of its own, and ends
// all that it started.
//
//	systems.go     what is compared, and how each is started
//	rounds.go      who is measured when, and how
//	results.go     what that gave
//	scenarios.go   what they are put to
//	report.go      tables
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/dozaar/dozaar/loadtest/bench"
	"github.com/dozaar/dozaar/loadtest/converse"
)

// page and picture get what was measured.
const (
	page    = "docs/benchmarks/comparison.md"
	picture = "docs/benchmarks/comparison.svg"
	profile = "docs/benchmarks/comparison-profile.md"
)

// mostRate is more than any of them bears.
const mostRate = 1_000_000

func main() {
	if err := command(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func command(args []string) error {
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	client := flags.Bool("client", false, "be the client (used by the program itself)")
	bare := flags.Bool("bare", false, "be the bare websocket server (used by the program itself)")
	wanted := flags.String("systems", strings.Join(names(systems()), ","), "what is compared, separated by commas; all but the default prints only")
	rate := flags.Float64("rate", 0, "messages a second at equal load; 0: it is found out, on each machine anew")
	only := flags.String("scenario", "", "the one that is played, which prints only; or: others")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *client {
		return converse.Serve(os.Stdin, os.Stdout)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *bare {
		return serveBare(ctx, os.Getenv("LISTEN"))
	}
	chosen, p, publish, err := chooses(*wanted, *only, *rate)
	if err != nil {
		return err
	}
	r, p, err := measure(ctx, p, chosen)
	if r == nil {
		return err
	}
	if len(r.failed) > 0 {
		err = errors.Join(err, fmt.Errorf("not everything could be measured:\n%s", strings.Join(r.failed, "\n")))
	}
	if publish = publish && err == nil; !publish {
		say("this is printed only")
	}
	return errors.Join(err, tell(p, chosen, r, publish))
}

// chooses is what is measured, and whether the pages get it: only where it is all that they tell of.
func chooses(wanted, only string, rate float64) (chosen []system, p plan, publish bool, err error) {
	quick, full := os.Getenv("QUICK") == "1", os.Getenv("FULL") == "1"
	chosen, p, publish = systems(), fullPlan(), !quick
	if list := strings.Split(wanted, ","); !slices.Equal(list, names(chosen)) {
		publish = false
		chosen = slices.DeleteFunc(chosen, func(s system) bool { return !slices.Contains(list, s.name) })
		if len(chosen) != len(list) {
			return nil, p, false, fmt.Errorf("-systems: there are %s", strings.Join(names(systems()), ", "))
		}
	}
	if quick {
		say("QUICK=1 shows that it runs: one short round, the first system on cold engines; its figures say nothing")
		p = quickPlan()
	}
	if full {
		p.rounds, p.scenarios = max(5*p.rounds/3, 1), scenarios()
	}
	if !(rate >= 0 && rate <= mostRate) { // NaN is neither
		return nil, p, false, fmt.Errorf("-rate is %g: from 0 to %d", rate, mostRate)
	}
	if rate > 0 {
		p.rate = rate
	}
	switch {
	case only == "others":
		p.scenarios = others()
	case only != "":
		publish = false
		if p.scenarios = slices.DeleteFunc(scenarios(), func(s scenario) bool { return s.name != only }); len(p.scenarios) == 0 {
			return nil, p, false, fmt.Errorf("-scenario: there is no %q", only)
		}
	}
	if !p.plays("marketplace") {
		p.rate = 1 // there is none
	}
	return chosen, p, publish, nil
}

// tell prints what was measured, and publishes it.
func tell(p plan, chosen []system, r *results, publish bool) (err error) {
	if slices.ContainsFunc(p.scenarios, func(s scenario) bool { return s.other }) {
		text := reportOthers(p, chosen, r)
		fmt.Println(text)
		if publish {
			err = bench.Publish(page, "others", text)
		}
	}
	if slices.ContainsFunc(p.scenarios, func(s scenario) bool { return !s.other }) {
		text := report(p, chosen, r)
		fmt.Println(text)
		if publish {
			return errors.Join(err,
				bench.Publish(profile, "measured", explanation(r)),
				os.WriteFile(picture, []byte(plots(p, chosen, r)), 0o644), //nolint:gosec // for everybody
				bench.Publish(page, "measured", "![the figures that matter most](comparison.svg)\n\n"+text))
		}
		if len(r.cpu) > 0 {
			fmt.Println(explanation(r))
		}
	}
	return err
}

// serveBare is the floor: a websocket server that does nothing but answer.
func serveBare(ctx context.Context, address string) error {
	handler, err := converse.NewBareServer(converse.DefaultSamples())
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", handler)
	mux.HandleFunc("/health", func(http.ResponseWriter, *http.Request) {})
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "compare: "+format+"\n", args...) }
