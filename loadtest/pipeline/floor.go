package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/dozaar/dozaar/loadtest/bench"
	"github.com/dozaar/dozaar/loadtest/converse"
)

// floorCommand is what a floor process is asked. The first is open.
type floorCommand struct {
	Do string `json:"do"`

	Addresses []string         `json:"addresses,omitempty"`
	Keyspace  string           `json:"keyspace,omitempty"`
	Records   []record         `json:"records,omitempty"` // as the product wrote them
	Entries   [][]string       `json:"entries,omitempty"` // fields and values, as the product wrote them
	Samples   converse.Samples `json:"samples,omitzero"`

	Conversations []string `json:"conversations,omitempty"` // the product's, to be read

	Kind  string         `json:"kind,omitempty"`
	Order converse.Order `json:"order"`
}

// floor is the raw client of one engine: what our processes would cost if they did nothing else.
type floor interface {
	open(ctx context.Context, c floorCommand) (any, error)
	run(ctx context.Context, kind string, o converse.Order) (converse.Outcome, error)
	close()
}

func newFloor(name string) (floor, error) {
	switch name {
	case "kafka":
		return &kafkaFloor{}, nil
	case "cassandra":
		return &cassandraFloor{}, nil
	case "redis":
		return &redisFloor{}, nil
	case "sockets":
		return &socketFloor{}, nil
	}
	return nil, fmt.Errorf("no floor is called %q", name)
}

func serveFloor(ctx context.Context, name string, in io.Reader, out io.Writer) error {
	f, err := newFloor(name)
	if err != nil {
		return err
	}
	defer f.close()
	return bench.Answer(in, out, func(c floorCommand) (any, error) {
		switch c.Do {
		case "open":
			return f.open(ctx, c)
		case "run":
			return f.run(ctx, c.Kind, c.Order)
		}
		return nil, errors.New("not a command of a floor: " + c.Do)
	})
}
