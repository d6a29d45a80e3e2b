// Command loadtest drives a Dozaar with many clients, writes down what they did and saw, and judges it.
//
//	loadtest run    make load against gateways, then check what came of it
//	loadtest check  check histories that were written before
//	loadtest print  print a history, an event a line, as JSON
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
	"strings"
	"syscall"

	"github.com/dozaar/dozaar/loadtest/history"
	"github.com/dozaar/dozaar/loadtest/load"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
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
		return 2, errors.New("say run, check or print; each has --help")
	}
	switch args[0] {
	case "run":
		return runLoad(ctx, args[1:], out, progress)
	case "check":
		return check(args[1:], out)
	case "print":
		return 0, printHistory(args[1:], out)
	}
	return 2, fmt.Errorf("%q is none of run, check, print", args[0])
}

func runLoad(ctx context.Context, args []string, out, progress io.Writer) (int, error) {
	p := load.DefaultPlan()
	flags := flag.NewFlagSet("loadtest run", flag.ContinueOnError)
	gateways := flags.String("gateways", "http://127.0.0.1:3000", "base URLs of the gateways, separated by commas")
	secret := flags.String("secret-file", "data/jwt-secret", "a file with the secret that signs tokens; DOZAAR_JWT_SECRET goes before it")
	flags.Float64Var(&p.Rate, "rate", p.Rate, "messages a second, over all conversations")
	flags.IntVar(&p.Conversations, "conversations", p.Conversations, "conversations, of two to four devices each")
	flags.DurationVar(&p.Duration, "duration", p.Duration, "for how long messages are sent")
	flags.Float64Var(&p.Zipf, "zipf", p.Zipf, "above 1: the exponent by which some conversations are busier; 0: all alike")
	flags.Uint64Var(&p.Seed, "seed", p.Seed, "of all that is drawn")
	flags.Float64Var(&p.Reads, "reads", p.Reads, "share of the messages that are marked as read")
	flags.Float64Var(&p.Typing, "typing", p.Typing, "share of the messages before which somebody types")
	flags.Float64Var(&p.Nameless, "nameless", p.Nameless, "share of the messages without a client id")
	flags.Float64Var(&p.Conflicts, "conflicts", p.Conflicts, "share of the messages whose client id is used twice")
	flags.Float64Var(&p.Moves, "moves", p.Moves, "a second: devices that leave a conversation and come back")
	flags.Float64Var(&p.Guests, "guests", p.Guests, "a second: changes of members")
	flags.Float64Var(&p.Looks, "looks", p.Looks, "a second: pages of history that users read")
	flags.Float64Var(&p.Cuts, "cuts", p.Cuts, "a second: connections that are cut")
	flags.DurationVar(&p.Settle, "settle", p.Settle, "how long to wait for everything to come to rest while nothing gets any further")
	flags.StringVar(&p.History, "history", p.History, "the file to write")
	asJSON := flags.Bool("json", false, "print the verdict as JSON")
	checkFlags(flags, &p.Check)
	if err := flags.Parse(args); err != nil {
		return 2, err
	}
	p.Gateways, p.Out = strings.Split(*gateways, ","), progress
	p.Secret = []byte(os.Getenv("DOZAAR_JWT_SECRET"))
	if len(p.Secret) == 0 {
		text, err := os.ReadFile(*secret) //nolint:gosec // whoever runs this names the file
		if err != nil {
			return 2, err
		}
		p.Secret = []byte(strings.TrimSpace(string(text)))
	}
	result, err := load.Run(ctx, p)
	if err != nil {
		return 2, err
	}
	return result.Verdict.ExitCode(), report(out, result, *asJSON)
}

func checkFlags(flags *flag.FlagSet, o *history.Options) {
	flags.BoolVar(&o.ConflictsMayBeLost, "conflicts-may-be-lost", false, "nobody needs to be told of a conflict after the acknowledgement, as where Redis was killed")
	flags.IntVar(&o.Examples, "examples", 10, "findings of each kind that are shown with their events")
}

func check(args []string, out io.Writer) (code int, err error) {
	var o history.Options
	flags := flag.NewFlagSet("loadtest check", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "print the verdict as JSON")
	checkFlags(flags, &o)
	if err := flags.Parse(args); err != nil {
		return 2, err
	}
	if flags.NArg() == 0 {
		return 2, errors.New("name the files to check")
	}
	for _, path := range flags.Args() {
		result, checked := load.Judge(path, o)
		if err := errors.Join(report(out, result, *asJSON), checked); err != nil {
			return 2, fmt.Errorf("%s: %w", path, err)
		}
		if c := result.Verdict.ExitCode(); c == 1 || code == 0 {
			code = c
		}
	}
	return code, nil
}

func report(out io.Writer, result load.Result, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(result)
	}
	result.Latency.Print(out)
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
