package main

import "github.com/dozaar/dozaar/loadtest/bench"

const pagePath = "docs/benchmarks/sockets.md"

func publish(measured string) error { return bench.Publish(pagePath, measured) }
