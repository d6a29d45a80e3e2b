package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/dozaar/dozaar/loadtest/bench"
	"github.com/dozaar/dozaar/loadtest/load"
)

// order is what the crowd's process is told to do.
type order struct {
	Do       string
	Gateways []string `json:",omitempty"` // of connect
	Secret   string   `json:",omitempty"`
	Sockets  int      `json:",omitempty"`
	Messages int      `json:",omitempty"` // of talk
}

// noted is when clients were cut, when they were back, and when they had caught up, since the drain began.
type noted struct{ Gone, Back, Caught []time.Duration }

// serve is the crowd as a process of its own: those whose latency is measured do not share one with ten thousand others.
func serve(in io.Reader, out io.Writer) error {
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	var c *crowd
	return bench.Answer(in, out, func(o order) (any, error) {
		done := struct{}{}
		switch o.Do {
		case "connect":
			c = newCrowd(load.NewDozaar(o.Gateways, []byte(o.Secret)), o.Sockets)
			return done, c.connect(ctx)
		case "talk":
			return done, c.talk(ctx, o.Messages)
		case "leave":
			c.leave()
			return done, nil
		case "begin":
			c.begin()
			return done, nil
		case "be back":
			return done, c.all(ctx)
		case "catch up":
			return done, c.caughtUp(ctx)
		case "tell":
			return c.noted(), nil
		}
		return nil, fmt.Errorf("nobody knows how to %s", o.Do)
	})
}
