// Command loadtest drives a Dozaar with many clients, writes down what they did and saw, and judges it.
//
//	loadtest run      make load against gateways, as a scenario says, then check what came of it
//	loadtest check    check histories that were written before
//	loadtest print    print a history, an event a line, as JSON
//	loadtest standin  a chat in memory, to measure the generator itself
//
// README.md tells what is recorded and what each finding means. The exit code is 0 for a clean history, 1 where
// something was found, 2 where it could not be told.
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
	"runtime"
	"syscall"

	"github.com/dozaar/dozaar/loadtest/history"
	"github.com/dozaar/dozaar/loadtest/load"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second ends it at once
	code, err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "loadtest:", err)
		code = max(code, 2)
	}
	os.Exit(code)
}

func run(ctx context.Context, args []string, out, progress io.Writer) (int, error) {
	if len(args) == 0 {
		return 2, errors.New("say run, check, print or standin; each has --help")
	}
	switch args[0] {
	case "run":
		return runLoad(ctx, args[1:], out, progress)
	case "check":
		return check(args[1:], out)
	case "print":
		return 0, printHistory(args[1:], out)
	case "standin":
		return 0, runStandin(ctx, args[1:], out)
	case "help", "-h", "-help", "--help":
		fmt.Fprintln(out, "loadtest run [scenario] | check FILE | print FILE | standin; each has --help, and loadtest/README.md says more")
		return 0, nil
	}
	return 2, fmt.Errorf("%q is none of run, check, print, standin", args[0])
}

func checkFlags(flags *flag.FlagSet, o *history.Options) {
	flags.IntVar(&o.Examples, "examples", 10, "findings of each kind that are shown with their events")
}

func check(args []string, out io.Writer) (code int, err error) {
	var o history.Options
	flags := flag.NewFlagSet("loadtest check", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "print the verdict as JSON")
	flags.BoolVar(&o.ConflictsMayBeLost, "conflicts-may-be-lost", false, "nobody needs to be told of a conflict after the acknowledgement, as where Redis was killed")
	flags.BoolVar(&o.Unkept, "unkept", false, "it is of a product that numbers and keeps nothing: judge only what devices were shown")
	checkFlags(flags, &o)
	if err := flags.Parse(args); err != nil {
		return 2, err
	}
	if flags.NArg() == 0 {
		return 2, errors.New("name the files to check")
	}
	for _, path := range flags.Args() {
		result, checked := load.Judge(path, o)
		if err := errors.Join(tell(out, result, *asJSON), checked); err != nil {
			return 2, fmt.Errorf("%s: %w", path, err)
		}
		if c := result.Verdict.ExitCode(); c == 1 || code == 0 {
			code = c
		}
	}
	return code, nil
}

func tell(out io.Writer, result load.Result, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(result)
	}
	result.Latency.Print(out)
	if c := result.Course; c != nil {
		fmt.Fprintf(out, "  %-14sp50 %s, p99 %s, most %s: the generator's own doing, and part of the above\n", "late", c.Late.P50, c.Late.P99, c.Late.Max)
		fmt.Fprintf(out, "  %-14s%d messages in %.0f s, of which %d were acknowledged by the end of it: who has no answer is in no latency\n", "due", c.Due, c.Seconds, c.Messages)
		fmt.Fprintf(out, "  %-14s%.1f of %d cores were in use, by whomever: where that is all, latencies are a queue's\n", "machine", c.Busy, runtime.NumCPU())
		if len(c.Costs) == 1 {
			fmt.Fprintf(out, "  %-14snobody said which processes are the product's: --pid and --engines\n", "costs")
		}
	}
	result.Verdict.Print(out)
	return nil
}

func printHistory(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("loadtest print", flag.ContinueOnError)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("name the file to print")
	}
	encoder := json.NewEncoder(out)
	number := int64(0)
	for e, err := range history.File(flags.Arg(0))() {
		if err != nil {
			return err
		}
		number++
		if err := encoder.Encode(history.Evidence{Number: number, Event: e}); err != nil {
			return err
		}
	}
	return nil
}
