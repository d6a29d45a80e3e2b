package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/dozaar/dozaar/loadtest/converse"
	"github.com/dozaar/dozaar/loadtest/stack"
)

// profiled are the processes whose CPU is shown by function.
var profiled = []string{stack.Deliver, stack.GatewayA, stack.GatewayB}

const (
	profileLines = 18 // of functions by themselves
	ourLines     = 22 // of our own, with all that they call
)

// profiles is where the CPU of the roles goes while as much is sent as can be, as text.
func (s *stage) profiles(ctx context.Context) (string, error) {
	if err := s.send(s.plan.order(0, s.plan.warm), &converse.Heard{}); err != nil {
		return "", err
	}
	texts, failed := make([]string, len(profiled)), make([]error, len(profiled))
	var all sync.WaitGroup
	for i, name := range profiled {
		all.Go(func() {
			time.Sleep(500 * time.Millisecond) // until there is something to see
			texts[i], failed[i] = s.profile(ctx, name)
		})
	}
	err := s.send(s.plan.order(0, s.plan.profile+time.Second), &converse.Heard{})
	all.Wait()
	return strings.Join(texts, "\n"), errors.Join(append(failed, err)...)
}

func (s *stage) profile(ctx context.Context, name string) (string, error) {
	dir := s.product.Dir
	if s.plan.keep != "" {
		dir = s.plan.keep
	}
	file := filepath.Join(dir, name+".prof")
	if err := s.product.Named(name).Profile(ctx, fmt.Sprintf("profile?seconds=%d", int(s.plan.profile.Seconds())), file); err != nil {
		return "", err
	}
	flat, err := s.product.Top(ctx, file, profileLines, stack.All)
	if err != nil {
		return "", err
	}
	cumulative, err := s.product.Top(ctx, file, ourLines, stack.Ours, "-cum")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("CPU of %s, saturated, the functions that use most themselves:\n\n```\n%s```\n\nand ours, with all that they call:\n\n```\n%s```\n",
		name, flat, cumulative), nil
}
