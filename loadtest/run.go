package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"

	"github.com/dozaar/dozaar/loadtest/bench"
	"github.com/dozaar/dozaar/loadtest/load"
	"github.com/dozaar/dozaar/loadtest/report"
	"github.com/dozaar/dozaar/loadtest/scenarios"
)

// options are what `run` is told beside the plan.
type options struct {
	target   string
	gateways string
	secret   string
	restart  string
	engines  string
	out      string
	profile  string
	asJSON   bool
}

func runLoad(ctx context.Context, args []string, out, progress io.Writer) (int, error) {
	var o options
	p := load.DefaultPlan()
	p.Out, p.Processes, p.History = progress, map[string]load.Process{}, ""
	flags := runFlags(&o, &p)
	scenario, err := readArguments(flags, args)
	if err != nil {
		return 2, err
	}
	if p.Target, err = newTarget(o); err != nil {
		return 2, err
	}
	if o.restart != "" {
		p.Restart = func(ctx context.Context, gateway int) error { return restart(ctx, o.restart, gateway, progress) }
	}
	if o.profile != "" {
		p.During = profiled(o.profile, p.Duration, ctx.Done())
	}
	if err := addEngines(p.Processes, o.engines); err != nil {
		return 2, err
	}
	if err := os.MkdirAll(o.out, 0o750); err != nil {
		return 2, err
	}
	if p.History == "" {
		p.History = filepath.Join(o.out, "history")
	}
	p.Enough = ctx.Done()
	if err := report.Remove(o.out); err != nil { // of a run before
		return 2, err
	}
	result, played := load.Run(context.WithoutCancel(ctx), p)
	if result.Course == nil {
		return 2, played
	}
	summary := report.Summary{
		Scenario: scenario.Name, About: scenario.About, Target: o.target, Gateways: p.Target.Gateways(),
		Settings: settings(&p), Machine: bench.Machine(), Result: result,
	}
	written := summary.Write(o.out)
	if written == nil {
		fmt.Fprintf(progress, "%s has %s, %s and the history\n", o.out, report.SummaryFile, report.PageFile)
	}
	if err := errors.Join(played, written, tell(out, result, o.asJSON)); err != nil {
		return 2, err
	}
	return result.Verdict.ExitCode(), nil
}

func runFlags(o *options, p *load.Plan) *flag.FlagSet {
	flags := flag.NewFlagSet("loadtest run", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintf(flags.Output(), "loadtest run [flags] [scenario]\n\nA scenario is a file, or one of %s. Flags go before it.\n\n", strings.Join(scenarios.Names(), ", "))
		flags.PrintDefaults()
	}
	flags.StringVar(&o.target, "target", "dozaar", "what is driven: "+strings.Join(targetNames(), ", "))
	flags.StringVar(&o.gateways, "gateways", "http://127.0.0.1:3000", "base URLs of the gateways, separated by commas")
	flags.StringVar(&o.secret, "secret-file", "data/jwt-secret", "a file with the secret that signs tokens; DOZAAR_JWT_SECRET goes before it")
	flags.Func("pid", "name=number or name=file: a process whose CPU and memory are recorded; again for each. A file begins with the number", func(text string) error {
		name, where, ok := strings.Cut(text, "=")
		if !ok || name == "" || where == "" {
			return errors.New("say name=number or name=file")
		}
		p.Processes[name] = load.Process(where)
		return nil
	})
	flags.StringVar(&o.restart, "restart", "", "a shell command that starts gateway $GATEWAY again (1 is the first of --gateways), for scenarios that deploy; it returns when that is done")
	flags.StringVar(&o.engines, "engines", "", "a folder of deploy/engines, as .engines: each process of it is recorded too")
	flags.StringVar(&o.out, "out", "data/load", "the folder for summary, page and history")
	flags.StringVar(&p.History, "history", "", "the history to write, if not into that folder")
	flags.StringVar(&o.profile, "cpu-profile", "", "a file for a profile of this program's own CPU, while the load lasts")
	flags.BoolVar(&o.asJSON, "json", false, "print the verdict as JSON")
	p.Flags(flags)
	checkFlags(flags, &p.Check)
	return flags
}

// readArguments takes flags and a scenario, in any order.
func readArguments(flags *flag.FlagSet, args []string) (s scenarios.Scenario, err error) {
	var names []string
	for {
		if err := flags.Parse(args); err != nil {
			return s, err
		}
		if flags.NArg() == 0 {
			break
		}
		names, args = append(names, flags.Arg(0)), flags.Args()[1:]
	}
	switch len(names) {
	case 0:
		return scenarios.Scenario{Name: "flags", About: "A run without a scenario: what the flags say."}, nil
	case 1:
		if s, err = scenarios.Read(names[0]); err != nil {
			return s, err
		}
		return s, s.Apply(flags)
	}
	return s, fmt.Errorf("one scenario at a time, not %s", strings.Join(names, " and "))
}

// settings are the plan's, by the names of their flags.
func settings(p *load.Plan) map[string]string {
	all := map[string]string{}
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	p.Flags(flags) // each has what the plan has as its default
	flags.VisitAll(func(f *flag.Flag) { all[f.Name] = f.Value.String() })
	return all
}

// addEngines adds the processes that deploy/engines/engines.sh has started.
func addEngines(to map[string]load.Process, folder string) error {
	if folder == "" {
		return nil
	}
	files, err := filepath.Glob(filepath.Join(folder, "run", "*"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("nothing runs in %s", folder)
	}
	for _, file := range files {
		to[filepath.Base(file)] = load.Process(file)
	}
	return err
}

// profiled profiles this program for as long as the load lasts.
func profiled(path string, length time.Duration, enough <-chan struct{}) func(context.Context, func(string)) error {
	return func(ctx context.Context, _ func(string)) error {
		file, err := os.Create(path) //nolint:gosec // whoever runs this names the file
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(file); err != nil {
			return errors.Join(err, file.Close())
		}
		select {
		case <-ctx.Done():
		case <-enough:
		case <-time.After(length):
		}
		pprof.StopCPUProfile()
		return file.Close()
	}
}

// restart has a shell start a gateway again.
func restart(ctx context.Context, command string, gateway int, out io.Writer) error {
	cmd := exec.CommandContext(ctx, "sh", "-c", command) //nolint:gosec // whoever runs this says what
	cmd.Env = append(os.Environ(), fmt.Sprintf("GATEWAY=%d", gateway+1))
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what is begun is finished: Ctrl-C is not for it
	return cmd.Run()
}
