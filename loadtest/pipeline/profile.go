package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/dozaar/dozaar/loadtest/converse"
	"github.com/dozaar/dozaar/loadtest/stack"
)

// profiled are the processes whose CPU is shown by function.
var profiled = []string{stack.Deliver, stack.GatewayA, stack.GatewayB}

// profiles is where the CPU of the roles goes while as much is sent as can be, as text.
func (s *stage) profiles(ctx context.Context) (string, error) {
	if err := s.send(s.plan.order(0, s.plan.warm), &converse.Heard{}); err != nil {
		return "", err
	}
	var text string
	var failed error
	var all sync.WaitGroup
	all.Go(func() {
		time.Sleep(500 * time.Millisecond) // until there is something to see
		dir := s.product.Dir
		if s.plan.keep != "" {
			dir = s.plan.keep
		}
		text, failed = s.product.CPU(ctx, profiled, s.plan.profile, "saturated", dir)
	})
	err := s.send(s.plan.order(0, s.plan.profile+time.Second), &converse.Heard{})
	all.Wait()
	return text, errors.Join(failed, err)
}
