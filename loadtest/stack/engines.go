package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/dozaar/dozaar/loadtest/bench"
)

// Engines are real ones, a node each, started for this benchmark alone and removed with their data after it.
type Engines struct {
	dir string
	env map[string]string // the addresses, as engines.sh tells them
}

const (
	enginesScript = "deploy/engines/engines.sh"
	enginesDir    = ".engines"
	enginesCache  = ".engines/cache"
)

// StartEngines starts them in a folder of that name, beside those of `make engines`, with ports of their own.
func StartEngines(ctx context.Context, name string) (*Engines, error) {
	dir, err := filepath.Abs(filepath.Join(enginesDir, name))
	if err != nil {
		return nil, err
	}
	e := &Engines{dir: dir, env: map[string]string{}}
	if err := e.script(ctx, "clean"); err != nil { // what a killed run left
		return nil, err
	}
	if err := e.script(ctx, "up", "kafka", "cassandra", "redis"); err != nil {
		return nil, errors.Join(err, e.Stop())
	}
	text, err := os.ReadFile(filepath.Join(dir, "env")) //nolint:gosec // a file of the engines'
	if err != nil {
		return nil, errors.Join(err, e.Stop())
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "="); ok {
			e.env[name] = strings.Trim(value, `"'`)
		}
	}
	return e, nil
}

// Stop ends the engines and removes what they kept, also when the run was interrupted.
func (e *Engines) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	return e.script(ctx, "clean")
}

func (e *Engines) script(ctx context.Context, do ...string) error {
	cmd := exec.CommandContext(ctx, enginesScript, do...) //nolint:gosec // words of this file
	cache, err := filepath.Abs(enginesCache)
	if err != nil {
		return err
	}
	if given := os.Getenv("DOZAAR_ENGINES_CACHE"); given != "" {
		cache = given
	}
	cmd.Env = append(os.Environ(), "DOZAAR_ENGINES_DIR="+e.dir, "DOZAAR_ENGINES_CACHE="+cache, "ENGINES=", "ENGINES_REDIS=") // a node each
	bench.Apart(cmd, time.Minute)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %v: %w\n%s", enginesScript, do, err, said.String())
	}
	return nil
}

// PIDs are the processes whose CPU time is an engine's.
func (e *Engines) PIDs() (map[string]int, error) {
	found := map[string]int{}
	for _, name := range []string{"kafka", "cassandra", "redis"} {
		files, err := filepath.Glob(filepath.Join(e.dir, "run", name+"*"))
		if err != nil || len(files) != 1 {
			return nil, fmt.Errorf("one process of %s was expected: %v, %w", name, files, err)
		}
		text, err := os.ReadFile(files[0]) //nolint:gosec // a file of the engines'
		if err != nil {
			return nil, err
		}
		pid, _, _ := strings.Cut(string(text), " ")
		if found[name], err = strconv.Atoi(pid); err != nil {
			return nil, fmt.Errorf("pid of %s: %w", name, err)
		}
	}
	return found, nil
}

func (e *Engines) addresses(engine string) []string { return strings.Split(e.env[engine], ",") }

// Kafka is the broker's address.
func (e *Engines) Kafka() []string { return e.addresses("DOZAAR_KAFKA_BROKERS") }

// Cassandra is the node's address.
func (e *Engines) Cassandra() []string { return e.addresses("DOZAAR_CASSANDRA_HOSTS") }

// Redis is the server's address.
func (e *Engines) Redis() []string { return e.addresses("DOZAAR_REDIS_ADDRS") }
