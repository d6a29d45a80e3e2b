package main

import (
	"context"
	"fmt"

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

// rss is the process's resident memory in bytes.
func (p *process) rss() (float64, error) { return bench.ResidentBytes(p.child.PID()) }
