package main

import (
	"context"
	"runtime/debug"
	"time"
)

const (
	calmEvery = 5 * time.Second
	calmBytes = 2 << 20 // allocated in that time at most
	worthIt   = 8 << 20 // bytes that may be given back, at least
)

// memory is what a process allocates and keeps.
type memory struct {
	allocated func() uint64 // bytes so far
	unused    func() uint64 // bytes that a collection may free, or has freed, and that the system does not have back
	giveBack  func()
}

func ownMemory() memory {
	return memory{
		allocated: func() uint64 { return heapBytes("/gc/heap/allocs:bytes")[0] },
		unused: func() uint64 {
			v := heapBytes("/memory/classes/heap/objects:bytes", "/gc/heap/live:bytes", "/memory/classes/heap/free:bytes")
			return v[0] - min(v[0], v[1]) + v[2]
		},
		giveBack: debug.FreeOSMemory,
	}
}

// tidy gives unused memory back to the system in moments in which little happens, until ctx ends. Left to itself, a gateway to which thousands have come
// back keeps what their coming has left for two minutes (headroom).
func (m memory) tidy(ctx context.Context) {
	look := time.NewTicker(calmEvery)
	defer look.Stop()
	before := m.allocated()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		now := m.allocated()
		if now-before < calmBytes && m.unused() >= worthIt {
			m.giveBack()
		}
		before = now
	}
}
