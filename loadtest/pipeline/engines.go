package main

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
)

// engines are real ones, a node each, started for this benchmark alone and removed with their data after it.
type engines struct {
	dir string
	env map[string]string // the addresses, as engines.sh tells them
}

const (
	enginesScript = "deploy/engines/engines.sh"
	enginesDir    = ".engines/pipeline" // beside those of `make engines`, with ports of its own
	enginesCache  = ".engines/cache"
)

func startEngines(ctx context.Context) (*engines, error) {
	dir, err := filepath.Abs(enginesDir)
	if err != nil {
		return nil, err
	}
	e := &engines{dir: dir, env: map[string]string{}}
	if err := e.script(ctx, "clean"); err != nil { // what a killed run left
		return nil, err
	}
	if err := e.script(ctx, "up", "kafka", "cassandra", "redis"); err != nil {
		return nil, errors.Join(err, e.stop())
	}
	text, err := os.ReadFile(filepath.Join(dir, "env")) //nolint:gosec // a file of the engines'
	if err != nil {
		return nil, errors.Join(err, e.stop())
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "="); ok {
			e.env[name] = strings.Trim(value, `"'`)
		}
	}
	return e, nil
}

// stop ends the engines and removes what they kept, also when the run was interrupted.
func (e *engines) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	return e.script(ctx, "clean")
}

func (e *engines) script(ctx context.Context, do ...string) error {
	cmd := exec.CommandContext(ctx, enginesScript, do...) //nolint:gosec // words of this file
	cache, err := filepath.Abs(enginesCache)
	if err != nil {
		return err
	}
	if given := os.Getenv("DOZAAR_ENGINES_CACHE"); given != "" {
		cache = given
	}
	cmd.Env = append(os.Environ(), "DOZAAR_ENGINES_DIR="+e.dir, "DOZAAR_ENGINES_CACHE="+cache, "ENGINES=", "ENGINES_REDIS=") // a node each
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %v: %w\n%s", enginesScript, do, err, said.String())
	}
	return nil
}

// pids are the processes whose CPU time is an engine's.
func (e *engines) pids() (map[string]int, error) {
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

func (e *engines) addresses(engine string) []string { return strings.Split(e.env[engine], ",") }

func (e *engines) kafka() []string     { return e.addresses("DOZAAR_KAFKA_BROKERS") }
func (e *engines) cassandra() []string { return e.addresses("DOZAAR_CASSANDRA_HOSTS") }
func (e *engines) redis() []string     { return e.addresses("DOZAAR_REDIS_ADDRS") }
