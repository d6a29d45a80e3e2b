package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/dozaar/dozaar/loadtest/client"
	"github.com/dozaar/dozaar/loadtest/history"
	"github.com/dozaar/dozaar/loadtest/load"
)

// perSecond is how many of the crowd connect in a second at first.
const perSecond = 400

// crowd is idle clients, a user each, who begin at the first of two gateways.
type crowd struct {
	devices []*client.Device
	stats   client.Stats

	mu         sync.Mutex // guards what follows
	began      time.Time  // of the drain; before that nothing is noted
	gone, back []time.Duration
}

func newCrowd(target *load.Dozaar, n int) *crowd {
	c := &crowd{}
	for i := range n {
		user := load.Member{ID: uuid.New(), Name: fmt.Sprintf("idle%d", i)}
		c.devices = append(c.devices, client.New(client.Config{
			Name: user.Name, User: user.ID, Gateways: target.Gateways(), Record: c.record, Stats: &c.stats, Seed: uint64(i),
			Token: func() string { return target.Token(user) },
		}))
	}
	return c
}

func (c *crowd) record(e history.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.began.IsZero() {
		return
	}
	switch e.Kind { //nolint:exhaustive // an idle client does little
	case history.Disconnected:
		c.gone = append(c.gone, time.Since(c.began))
	case history.Connected:
		c.back = append(c.back, time.Since(c.began))
	}
}

// connect has all of them connect, and returns when they have. They go on until ctx ends.
func (c *crowd) connect(ctx context.Context) error {
	for i, d := range c.devices {
		go func() { _ = d.Run(ctx) }() // it has no error of its own
		if i%10 == 9 {
			time.Sleep(10 * time.Second / perSecond)
		}
	}
	return c.all(ctx)
}

// all returns when all are connected.
func (c *crowd) all(ctx context.Context) error {
	for end := time.Now().Add(2 * time.Minute); c.stats.Connected.Load() < int64(len(c.devices)); time.Sleep(20 * time.Millisecond) {
		if ctx.Err() != nil || time.Now().After(end) {
			return fmt.Errorf("%d of %d clients are connected, and no more", c.stats.Connected.Load(), len(c.devices))
		}
	}
	return nil
}

func (c *crowd) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.began = time.Now()
}

// noted is when clients were cut, and when they were back, since the drain began.
func (c *crowd) noted() (gone, back []time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.gone)
	slices.Sort(c.back)
	return slices.Clone(c.gone), slices.Clone(c.back)
}

// most is how many of some sorted times are within one second.
func most(times []time.Duration) (n int) {
	from := 0
	for i, t := range times {
		for t-times[from] >= time.Second {
			from++
		}
		n = max(n, i-from+1)
	}
	return n
}
