package main

import "github.com/dozaar/dozaar/loadtest/bench"

const pagePath = "docs/benchmarks/sockets.md"

// The page's marks between which numbers go.
const (
	loadMarks  = "measured"
	stormMarks = "storms"
)

func publish(marks, measured string) error { return bench.Publish(pagePath, marks, measured) }
