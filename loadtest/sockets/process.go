package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/dozaar/dozaar/loadtest/bench"
)

// process is a child that answers commands. It ends when its input does.
type process struct{ child *bench.Child }

func start(ctx context.Context, name, program string, args ...string) (*process, error) {
	child, err := bench.StartChild(ctx, name, program, args...)
	return &process{child}, err
}

// ask sends a command and reads its answer into result.
func (p *process) ask(c command, result any) error {
	if err := p.child.Ask(c, result); err != nil {
		return fmt.Errorf("%s: %w", c.Do, err)
	}
	return nil
}

func (p *process) read(result any) error { return p.child.Read(result) }

func (p *process) stop() error { return p.child.Stop() }

// rss is the process's resident memory in bytes, counted page by page.
func (p *process) rss() (float64, error) {
	return residentBytes(fmt.Sprintf("/proc/%d/smaps_rollup", p.child.PID()))
}

func residentBytes(path string) (float64, error) {
	text, err := os.ReadFile(path) //nolint:gosec // a file of /proc
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "Rss:" && fields[2] == "kB" {
			kib, err := strconv.ParseFloat(fields[1], 64)
			return kib * 1024, err
		}
	}
	return 0, errors.New(path + " does not tell the RSS")
}
