package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/dozaar/dozaar/loadtest/converse"
	"github.com/dozaar/dozaar/loadtest/stack"
)

// secret is what the rivals take tokens by.
const secret = "of the rivals' tokens, on the loopback only" //nolint:gosec // nobody else takes them

const peers = "loadtest/peers"

// heapLines is how much of a profile is shown.
const heapLines = 25

// system is what is compared.
type system struct {
	name    string
	what    string // for people
	dialect string
	stores  bool
	grace   time.Duration                               // how long after people left it has to do with that
	install func(ctx context.Context, dir string) error // may be nil
	start   func(ctx context.Context, e *stack.Engines, dir string) (*running, error)
}

// running is a system that runs.
type running struct {
	services            *stack.Services
	own                 []string // whose CPU and memory count as the system's
	senders, recipients string   // addresses: two processes, but for the floor
	meet                func(ctx context.Context, count, members int) ([]converse.Conversation, error)
	heap                func(ctx context.Context) (string, error) // what is in use of one process, as text; may be nil
	// where the CPU goes during so long, as text; may be nil
	cpu func(ctx context.Context, length time.Duration, when string) (string, error)
}

func names(all []system) (list []string) {
	for _, s := range all {
		list = append(list, s.name)
	}
	return list
}

// The systems' names.
const (
	dozaar     = "dozaar"
	node       = "node"
	nest       = "nest"
	centrifuge = "centrifuge"
	bare       = "bare"
)

func systems() []system {
	return []system{
		{dozaar, "Dozaar: two gateways, deliver, presence; Kafka, Cassandra, Redis", converse.Contract, true, 12 * time.Second, nil, startDozaar},
		{
			node, "Node's `socket.io` with its Redis adapter, two processes; stores nothing", converse.Unnumbered, false, 0,
			func(ctx context.Context, _ string) error { return run(ctx, peers+"/node", "npm", "ci", "--silent") },
			pair(node, func(string) (string, []string) { return "node", []string{peers + "/node/server.mjs"} }),
		},
		{
			nest, "NestJS as a team would build it: two gateways, a worker; Kafka, Cassandra, the Redis adapter", converse.Contract, true, 0,
			func(ctx context.Context, _ string) error {
				return errors.Join(run(ctx, peers+"/nest", "npm", "ci", "--silent"), run(ctx, peers+"/nest", "npm", "run", "--silent", "build"))
			},
			startNest,
		},
		{
			centrifuge, "`centrifugal/centrifuge`, its Redis broker with history, two processes", converse.Centrifuge, false, 0,
			func(ctx context.Context, dir string) error {
				return run(ctx, peers+"/centrifuge", "go", "build", "-o", filepath.Join(dir, centrifuge), ".")
			},
			pair(centrifuge, func(dir string) (string, []string) { return filepath.Join(dir, centrifuge), nil }),
		},
		{bare, "a bare websocket server, one process: the floor", converse.Bare, false, 0, nil, startBare},
	}
}

func run(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // words of this file
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %s %v: %w\n%s", dir, name, args, err, out)
	}
	return nil
}

func startDozaar(ctx context.Context, e *stack.Engines, dir string) (*running, error) {
	p, err := stack.StartProduct(ctx, e, dir)
	if err != nil {
		return nil, err
	}
	a, b := p.Named(stack.GatewayA), p.Named(stack.GatewayB)
	heap := func(ctx context.Context) (string, error) {
		file := filepath.Join(dir, "heap.prof")
		if err := a.Profile(ctx, "heap?gc=1", file); err != nil {
			return "", err
		}
		return p.Top(ctx, file, heapLines, stack.All, "-inuse_space")
	}
	cpu := func(ctx context.Context, length time.Duration, when string) (string, error) {
		return p.CPU(ctx, stack.Roles, length, when, dir)
	}
	return &running{&p.Services, stack.Roles, a.Listen, b.Listen, p.Meet, heap, cpu}, nil
}

// environment is what a rival is told.
func environment(e *stack.Engines) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "NODE_ENV=production", "SECRET=" + secret,
		"REDIS=" + e.Redis()[0], "KAFKA=" + e.Kafka()[0], "CASSANDRA=" + e.Cassandra()[0],
	}
}

// pair is two processes of one program.
func pair(name string, program func(dir string) (string, []string)) func(context.Context, *stack.Engines, string) (*running, error) {
	return func(ctx context.Context, e *stack.Engines, dir string) (*running, error) {
		services := &stack.Services{Dir: dir}
		path, args := program(dir)
		own := []string{name + " A", name + " B"}
		for _, one := range own {
			if err := services.Launch(ctx, one, environment(e), path, args...); err != nil {
				return nil, errors.Join(err, services.Stop())
			}
		}
		return &running{services, own, services.Named(own[0]).Listen, services.Named(own[1]).Listen, strangers, nil, nil}, nil
	}
}

func startNest(ctx context.Context, e *stack.Engines, dir string) (*running, error) {
	services := &stack.Services{Dir: dir}
	own := []string{"nest worker", "nest A", "nest B"} // the worker makes the tables
	for i, one := range own {
		program := peers + "/nest/dist/gateway.js"
		if i == 0 {
			program = peers + "/nest/dist/worker.js"
		}
		if err := services.Launch(ctx, one, environment(e), "node", program); err != nil {
			return nil, errors.Join(err, services.Stop())
		}
	}
	worker := services.Named(own[0]).Listen
	return &running{services, own, services.Named(own[1]).Listen, services.Named(own[2]).Listen, func(ctx context.Context, count, members int) ([]converse.Conversation, error) {
		return stack.Meet(ctx, secret, count, members, func(ctx context.Context, c converse.Conversation, people []stack.Person) error {
			body := map[string]any{"conversationId": c.ID}
			users := make([]string, len(people))
			for i, person := range people {
				users[i] = person.UserID
			}
			body["users"] = users
			return post(ctx, "http://"+worker+"/members", body)
		})
	}, nil, nil}, nil
}

func startBare(ctx context.Context, e *stack.Engines, dir string) (*running, error) {
	services := &stack.Services{Dir: dir}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := services.Launch(ctx, bare, environment(e), self, "-bare"); err != nil {
		return nil, errors.Join(err, services.Stop())
	}
	at := services.Named(bare).Listen
	return &running{services, []string{bare}, at, at, strangers, nil, nil}, nil
}

// strangers are conversations of which the system need not know before.
func strangers(ctx context.Context, count, members int) ([]converse.Conversation, error) {
	return stack.Meet(ctx, secret, count, members, func(context.Context, converse.Conversation, []stack.Person) error { return nil })
}

func post(ctx context.Context, url string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(text))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("POST %s: %s", url, response.Status)
	}
	return nil
}
