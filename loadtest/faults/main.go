// Command faults breaks a running Dozaar in named ways, with clients talking all the while, and judges what they saw.
//
//	go run ./loadtest/faults -list
//	go run ./loadtest/faults -kinds kill-deliver,kill-broker -rounds 3 -seed 7
//
// It starts real engines (deploy/engines), two of each role on them, and devices that come back as real ones do. A
// round is: load, some quiet seconds, the fault, its healing, more load; then everything comes to rest, is read back and
// checked (loadtest/load, loadtest/history). Each round adds a line of JSON to the results, from which -publish
// writes the table of docs/reliability.md. The exit code is 0 where nothing was found, 1 where a promise was broken, 2 where it
// cannot be told.
//
//	kinds.go      the table of faults
//	draw.go       which of them, in which order
//	round.go      one round
//	recovery.go   how long it took, from the history
//	rows.go       results, and the table
//	engines.go    a set of real engines
//	product.go    the roles, as processes
//	link.go       a link that delays, drops and blocks packets: a network namespace behind two tun devices
//	clock.go      a dozaar whose clock is wrong
//	disk.go       a disk that is full
//	planted.go    products that break a promise, which the checker must find
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	kinds         string
	rounds        int
	seed          uint64
	rate          float64
	conversations int
	quiet, tail   time.Duration
	dir, results  string
	publish, keep bool
	examples      int
	planted       string
	settle        time.Duration // 0: 90 s
	until         time.Time     // no round begins later; zero: however long it takes
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "faults:", err)
		code = worse(code, 2)
	}
	os.Exit(code)
}

func run(ctx context.Context, args []string) (int, error) {
	var o options
	flags := flag.NewFlagSet("faults", flag.ContinueOnError)
	flags.StringVar(&o.kinds, "kinds", "4", "names with commas between; all; or a number: so many, drawn by the seed")
	flags.IntVar(&o.rounds, "rounds", 1, "of each kind; 0 with -publish: the table alone")
	flags.Uint64Var(&o.seed, "seed", 1, "of what is drawn, and of the load")
	flags.Float64Var(&o.rate, "rate", 0, "messages a second; 0: 1000 on single-node engines, 300 on clusters and embedded ones")
	flags.IntVar(&o.conversations, "conversations", 500, "of two to four devices each")
	flags.DurationVar(&o.quiet, "quiet", 8*time.Second, "load before the fault")
	flags.DurationVar(&o.tail, "tail", 20*time.Second, "load after the healing")
	flags.StringVar(&o.dir, "dir", ".faults", "a folder for engines, processes, and the histories in which something was found")
	flags.StringVar(&o.results, "results", "", "the file to which a line is added for each round; by default DIR/results.jsonl")
	flags.BoolVar(&o.publish, "publish", false, "write the table of "+pagePath+" from the results")
	flags.BoolVar(&o.keep, "keep", false, "leave the engines running, for the next run")
	flags.IntVar(&o.examples, "examples", 3, "findings of each kind that are shown with their events")
	flags.StringVar(&o.planted, "planted", "", "instead of rounds: plants whose faults the checker must find, all or names with commas between")
	within := flags.Duration("within", 0, "begin no round after so long, and say what was left out; 0: however long it takes")
	list := flags.Bool("list", false, "list the kinds")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0, err
	} else if err != nil {
		return 2, err
	}
	if flags.NArg() > 0 { // and whatever flags come after it
		return 2, fmt.Errorf("%q is no flag; kinds are named by -kinds, plants by -planted", flags.Arg(0))
	}
	if o.rounds < 0 || *within < 0 {
		return 2, errors.New("-rounds and -within cannot be negative")
	}
	if *within > 0 {
		o.until = time.Now().Add(*within)
	}
	if *list {
		for _, k := range kinds() {
			fmt.Printf("%-22s %-9s %s\n", k.name, k.set, k.what)
		}
		for _, p := range plants() {
			fmt.Printf("%-22s %-9s %s\n", p.name, "planted", p.what)
		}
		return 0, nil
	}
	drawn, err := draw(o.kinds, o.seed)
	if err != nil {
		return 2, err
	}
	if o.dir, err = filepath.Abs(o.dir); err != nil {
		return 2, err
	}
	if o.results == "" {
		o.results = filepath.Join(o.dir, "results.jsonl")
	}
	if err := os.MkdirAll(o.dir, 0o750); err != nil {
		return 2, err
	}
	if o.planted != "" {
		return playPlants(ctx, o)
	}
	code := 0
	if o.rounds > 0 {
		if err := appendTo(o.results, nil); err != nil { // now rather than after the first round
			return 2, err
		}
		say("seed %d: %s", o.seed, strings.Join(names(drawn), ", "))
		code, err = play(ctx, o, drawn)
	}
	if err == nil && o.publish {
		err = publish(o.results)
	}
	return code, err
}

// play runs the rounds, each set of engines once.
func play(ctx context.Context, o options, drawn []kind) (code int, err error) {
	program, err := build(ctx, o.dir)
	if err != nil {
		return 2, err
	}
	if slices.ContainsFunc(drawn, func(k kind) bool { return k.wrongClock }) {
		if err := buildWrongClock(ctx, o.dir); err != nil {
			return 2, err
		}
	}
	return playAll(ctx, o, program, drawn)
}

func playAll(ctx context.Context, o options, program string, drawn []kind) (code int, err error) {
	played := 0
	for len(drawn) > 0 {
		n := 1
		for n < len(drawn) && drawn[n].set == drawn[0].set {
			n++
		}
		c, some, err := playOn(ctx, o, program, drawn[:n])
		played += some
		if code = worse(code, c); err != nil {
			return code, err
		}
		drawn = drawn[n:]
	}
	if played == 0 {
		return 2, errNothing
	}
	return code, nil
}

// errNothing: where there was no time for a single round nothing can be told.
var errNothing = errors.New("no round was played")

// ready is a set of engines with what the roles want to find on it. end removes it, unless it is to be kept.
func ready(ctx context.Context, o options, program, set string) (e *engines, end func() error, err error) {
	if e, err = startEngines(ctx, o.dir, set); err != nil {
		return nil, nil, err
	}
	end = e.clean
	if o.keep {
		end = func() error { return nil }
	}
	if err := prepare(ctx, o.dir, program, e); err != nil {
		return nil, nil, errors.Join(err, end())
	}
	return e, end, nil
}

// late tells whether no round is to begin any more.
func (o options) late() bool { return !o.until.IsZero() && time.Now().After(o.until) }

// worse is the exit code of two together: a promise that was broken says more than one of which nothing can be told.
func worse(a, b int) int {
	if a == 1 || b == 0 {
		return a
	}
	return b
}

// playOn runs the rounds of kinds that want the same engines, and answers how many.
func playOn(ctx context.Context, o options, program string, kinds []kind) (code, played int, err error) {
	if o.late() {
		say("left out for lack of time: %s", strings.Join(names(kinds), ", "))
		return 0, 0, nil
	}
	e, end, err := ready(ctx, o, program, kinds[0].set)
	if err != nil {
		return 2, 0, err
	}
	defer func() { err = errors.Join(err, end()) }()
	for n := range o.rounds {
		for _, k := range kinds {
			if o.late() {
				say("left out for lack of time: round %d of %s", n+1, k.name)
				continue
			}
			r, err := playRound(ctx, o, program, e, k, n)
			c, err := record(r, err, o.results)
			if code = worse(code, c); err != nil {
				return code, played, fmt.Errorf("%s: %w", k.name, err)
			}
			played++
		}
	}
	return code, played, nil
}

// record adds what a round has shown to the results, and answers the exit code. It may have shown something before it failed.
func record(r row, failed error, path string) (code int, err error) {
	if r.Kind != "" {
		code, err = r.exitCode(), r.append(path)
	}
	if err = errors.Join(failed, err); err != nil {
		code = worse(code, 2)
	}
	return code, err
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05")+" faults: "+format+"\n", args...)
}
