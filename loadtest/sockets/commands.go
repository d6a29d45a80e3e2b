package main

import (
	"fmt"
	"io"

	"github.com/dozaar/dozaar/loadtest/bench"
)

// command is a line that a child process reads: what to do, and whatever that needs.
type command struct {
	Do string `json:"do"`

	Address  string  `json:"address,omitempty"`
	Bare     bool    `json:"bare,omitempty"` // a websocket without Engine.IO and Socket.IO
	Count    int     `json:"count,omitempty"`
	Conns    int     `json:"conns,omitempty"`
	Window   int     `json:"window,omitempty"`
	EverySec float64 `json:"everySec,omitempty"`
	Kind     string  `json:"kind,omitempty"` // of a storm
	ForSec   float64 `json:"forSec,omitempty"`
	PerSec   float64 `json:"perSec,omitempty"` // tries; 0 for as many as there can be
}

// answer reads commands until in ends and writes what do makes of each, one line of JSON for one line.
func answer(in io.Reader, out io.Writer, do func(command) (any, error)) error {
	return bench.Answer(in, out, func(c command) (any, error) {
		result, err := do(c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Do, err)
		}
		return result, nil
	})
}

// stat is what every server tells of itself.
type stat struct {
	CPUSeconds float64 `json:"cpuSeconds"`
	Heap       float64 `json:"heap"`    // bytes in use
	Running    int     `json:"running"` // goroutines; in Node, open resources

	// Servers in Go only, bytes.
	Stacks   float64 `json:"stacks"`
	InSpans  float64 `json:"inSpans"`  // heap pages that hold anything
	Idle     float64 `json:"idle"`     // heap pages kept though they hold nothing
	Metadata float64 `json:"metadata"` // the runtime's own
}
