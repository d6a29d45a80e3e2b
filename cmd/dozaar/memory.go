package main

import (
	"math"
	"runtime/debug"
	"runtime/metrics"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// The shares of a container's memory: Go's collector works harder and harder as it comes near memoryShare, and a gateway lets
// nobody new in when what is in use for good is fullShare of that. The kernel, which ends the process, comes last.
const (
	memoryShare = 0.9
	fullShare   = 0.8
)

// limitMemory gives Go the limit that the container has, and returns it in bytes; math.MaxInt64 where there is none. GOMEMLIMIT in
// the environment goes before it. (GOMAXPROCS follows the container by Go itself.)
func limitMemory(container memlimit.Provider) int64 {
	// Without a limit, or where it cannot be read, none is set: that is no fault.
	_, _ = memlimit.Set(memlimit.WithRatio(memoryShare), memlimit.WithProvider(container))
	return debug.SetMemoryLimit(-1)
}

// fullness says of a process whether it has room for more clients.
type fullness struct {
	limit int64         // of Go, in bytes
	live  func() uint64 // bytes of the heap that the last collection has left
}

func newFullness(limit int64) fullness {
	return fullness{limit, func() uint64 { return heapBytes("/gc/heap/live:bytes")[0] }}
}

// heapBytes reads metrics of Go's runtime that are numbers of bytes.
func heapBytes(names ...string) []uint64 {
	samples := make([]metrics.Sample, len(names))
	for i, name := range names {
		samples[i].Name = name
	}
	metrics.Read(samples)
	values := make([]uint64, len(names))
	for i, s := range samples {
		values[i] = s.Value.Uint64()
	}
	return values
}

// overload is why nobody new is let in, "" if they are.
func (f fullness) overload() string {
	if f.limit != math.MaxInt64 && float64(f.live()) > fullShare*float64(f.limit) {
		return "memory"
	}
	return ""
}
