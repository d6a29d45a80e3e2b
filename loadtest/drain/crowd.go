package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/loadtest/client"
	"github.com/dozaar/dozaar/loadtest/history"
	"github.com/dozaar/dozaar/loadtest/load"
)

// perSecond is how many of the crowd connect in a second at first.
const perSecond = 400

// together is how many of the crowd share a conversation.
const together = 10

// crowd is clients who are there, a user each, who begin at the first of two gateways.
type crowd struct {
	target   *load.Dozaar
	devices  []*client.Device
	members  []load.Member
	messages int // in each conversation; 0: nobody is in one
	stats    client.Stats

	mu                 sync.Mutex // guards what follows
	began              time.Time  // of the drain; before that nothing is noted
	gone, back, caught []time.Duration
}

func newCrowd(target *load.Dozaar, n int) *crowd {
	c := &crowd{target: target}
	for i := range n {
		user := load.Member{ID: uuid.New(), Name: fmt.Sprintf("idle%d", i)}
		c.members = append(c.members, user)
		c.devices = append(c.devices, client.New(client.Config{
			Name: user.Name, User: user.ID, Gateways: target.Gateways(), Record: c.record, Stats: &c.stats, Seed: uint64(i),
			Token: func() string { return target.Token(user) }, Forgetful: true,
			OnShown: c.shown,
		}))
	}
	return c
}

// talk puts the crowd into conversations, whose first members say so many messages each. It returns when all were shown all.
func (c *crowd) talk(ctx context.Context, messages int) error {
	c.messages = messages
	group, creating := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for members := range slices.Chunk(c.members, together) {
		group.Go(func() error { return c.target.Create(creating, conversationOf(members[0]), members) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, d := range c.devices {
		d.Join(conversationOf(c.members[i/together*together]))
	}
	for i := 0; i < len(c.devices); i += together {
		for range messages {
			c.devices[i].Send(client.Message{Conversation: conversationOf(c.members[i]), Client: uuid.New(), Text: "Is it still available?"})
		}
	}
	return c.until(ctx, "messages were shown", messages*len(c.devices), func() int { return int(c.stats.Shown.Load()) })
}

// leave has all of them leave their conversations.
func (c *crowd) leave() {
	c.messages = 0
	for i, d := range c.devices {
		d.Leave(conversationOf(c.members[i/together*together]), true)
	}
}

// conversationOf is the conversation that has this first member.
func conversationOf(first load.Member) uuid.UUID { return first.ID }

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

// shown notes when a client was shown the last of what it had missed.
func (c *crowd) shown(_ *client.Device, m client.Stored) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.began.IsZero() && c.messages > 0 && m.Seq == int64(c.messages) {
		c.caught = append(c.caught, time.Since(c.began))
	}
}

// caughtUp returns when all have been shown what they had missed.
func (c *crowd) caughtUp(ctx context.Context) error {
	if c.messages == 0 {
		return nil
	}
	return c.until(ctx, "clients have caught up", len(c.devices), func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.caught)
	})
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
	return c.until(ctx, "clients are connected", len(c.devices), func() int { return int(c.stats.Connected.Load()) })
}

// until returns when so many have been counted.
func (c *crowd) until(ctx context.Context, what string, want int, count func() int) error {
	for end := time.Now().Add(3 * time.Minute); count() < want; time.Sleep(20 * time.Millisecond) {
		if ctx.Err() != nil || time.Now().After(end) {
			return fmt.Errorf("%d of %d %s, and no more", count(), want, what)
		}
	}
	return nil
}

func (c *crowd) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.began = time.Now()
}

func (c *crowd) noted() noted {
	c.mu.Lock()
	defer c.mu.Unlock()
	return noted{sorted(c.gone), sorted(c.back), sorted(c.caught)}
}

func sorted(times []time.Duration) []time.Duration { return slices.Sorted(slices.Values(times)) }

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
