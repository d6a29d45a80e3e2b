package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// plan is how much is measured.
type plan struct {
	rounds    int
	servers   []string
	scenarios []string
	publish   bool // write the page

	idle     [2]int // connections, each in a fresh process
	settle   time.Duration
	members  int
	flood    int // messages to the room
	paced    int
	every    time.Duration
	echoes   int
	askers   int // connections that wait for each answer
	pipeline int // connections that do not
	window   int // and how many questions they keep on their way

	storm time.Duration
}

var (
	allServers   = []string{"layer", "library", "node", "floor"}
	allScenarios = []string{"idle", "crowd", "echo-one", "echo-many", "flood", "paced"}
)

func (p *plan) has(scenario string) bool { return slices.Contains(p.scenarios, scenario) }

func fullPlan() plan {
	return plan{
		rounds: 5, servers: allServers, scenarios: allScenarios, publish: true,
		idle: [2]int{5000, 15000}, settle: 3 * time.Second,
		members: 1000, flood: 1000, paced: 200, every: 20 * time.Millisecond,
		echoes: 100_000, askers: 200, pipeline: 50, window: 16, storm: 5 * time.Second,
	}
}

func quickPlan() plan {
	p := fullPlan()
	p.rounds, p.publish = 1, false
	p.idle, p.settle = [2]int{1000, 3000}, time.Second
	p.flood, p.paced, p.echoes, p.storm = 200, 50, 20_000, 2*time.Second
	return p
}

// narrow leaves some of the plan out; what is then measured is no longer for the page.
func (p *plan) narrow(servers, scenarios string, rounds int) error {
	if rounds > 0 {
		p.rounds, p.publish = rounds, false
	}
	for _, part := range []struct {
		what, chosen string
		of           *[]string
	}{{"server", servers, &p.servers}, {"scenario", scenarios, &p.scenarios}} {
		if part.chosen == "" {
			continue
		}
		chosen := strings.Split(part.chosen, ",")
		for _, name := range chosen {
			if !slices.Contains(*part.of, name) {
				return fmt.Errorf("no %s is called %q: there are %s", part.what, name, strings.Join(*part.of, ", "))
			}
		}
		*part.of, p.publish = chosen, false
	}
	return nil
}

// measure carries the plan out and tells what came of it.
func measure(ctx context.Context, out io.Writer, p plan) error {
	if runtime.GOOS != "linux" {
		return errors.New("memory is read from /proc: Linux only")
	}
	versions, err := prepareNode(ctx, p)
	if err != nil {
		return err
	}
	all := make(results)
	for round := range p.rounds {
		for _, scenario := range []func(context.Context, plan, string, results) error{idle, crowd, work} {
			for i := range p.servers {
				server := p.servers[(i+round)%len(p.servers)]
				if err := scenario(ctx, p, server, all); err != nil {
					return fmt.Errorf("%s: %w", server, err)
				}
			}
		}
		fmt.Fprintf(os.Stderr, "round %d of %d done\n", round+1, p.rounds)
	}
	report := table(p, all)
	fmt.Fprint(out, report+"\n")
	if !p.publish {
		return nil
	}
	breakdown, err := memoryBreakdown(ctx, p)
	if err != nil {
		return err
	}
	return publish(loadMarks, machine(versions)+"\n"+report+"\n"+ranges(p, all)+"\n"+breakdown)
}

// pair is a server and a client in processes of their own.
type pair struct {
	server, client *process
	address        string
	bare           bool
}

func startPair(ctx context.Context, name string, flags ...string) (*pair, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	program, args := self, append([]string{"-server", name}, flags...)
	if name == "node" {
		program, args = "node", []string{"--expose-gc", filepath.Join(nodeDir(), "server.mjs")}
	}
	server, err := start(ctx, name, program, args...)
	if err != nil {
		return nil, err
	}
	var listening struct{ Address string }
	if err := server.read(&listening); err != nil {
		return nil, errors.Join(err, server.stop())
	}
	client, err := start(ctx, "client of "+name, self, "-client")
	if err != nil {
		return nil, errors.Join(err, server.stop())
	}
	return &pair{server: server, client: client, address: listening.Address, bare: name == "floor"}, nil
}

func (p *pair) stop() error { return errors.Join(p.client.stop(), p.server.stop()) }

// nodeDir is where Node's server is, seen from the repository or from here.
func nodeDir() string {
	if _, err := os.Stat("loadtest/sockets/node"); err == nil {
		return "loadtest/sockets/node"
	}
	return "node"
}

// prepareNode installs what Node's server needs, once, and tells the versions of all that is measured.
func prepareNode(ctx context.Context, p plan) (versions map[string]string, err error) {
	if !slices.Contains(p.servers, "node") {
		return nil, nil
	}
	if _, err := os.Stat(filepath.Join(nodeDir(), "node_modules")); err != nil {
		install := exec.CommandContext(ctx, "npm", "ci", "--silent")
		install.Dir, install.Stdout, install.Stderr = nodeDir(), os.Stderr, os.Stderr
		if err := install.Run(); err != nil {
			return nil, fmt.Errorf("npm ci in %s: %w", nodeDir(), err)
		}
	}
	node, err := startPair(ctx, "node")
	if err != nil {
		return nil, err
	}
	return versions, errors.Join(node.server.ask(command{Do: "versions"}, &versions), node.stop())
}
