package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestMemoryIsGivenBackInCalmMoments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var allocated, unused, times atomic.Uint64
		m := memory{allocated: allocated.Load, unused: unused.Load, giveBack: func() { times.Add(1); unused.Store(0) }}
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); m.tidy(ctx) }()
		for _, moment := range []struct {
			what      string
			allocates uint64
			unused    uint64
			want      uint64
		}{
			{"a busy one", calmBytes, worthIt, 0},
			{"a calm one", calmBytes - 1, worthIt, 1},
			{"there is nothing more", 0, 0, 1},
			{"nor is it worth it", 0, worthIt - 1, 1},
			{"it is again", 0, worthIt, 2},
		} {
			synctest.Wait()
			allocated.Add(moment.allocates)
			unused.Store(moment.unused)
			time.Sleep(calmEvery)
			synctest.Wait()
			if got := times.Load(); got != moment.want {
				t.Errorf("%s: given back %d times, want %d", moment.what, got, moment.want)
			}
		}
		end()
		<-ended
	})
}

// What is free of the process's own memory is seen, and given back.
func TestOwnMemory(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	m := ownMemory()
	before := m.allocated()
	garbage := make([]byte, 64<<20)
	for i := 0; i < len(garbage); i += 4096 {
		garbage[i] = 1
	}
	if got := m.allocated() - before; got < uint64(len(garbage)) {
		t.Errorf("%d bytes were allocated", got)
	}
	runtime.KeepAlive(garbage)
	if got := m.unused(); got < 64<<20 {
		t.Errorf("%d bytes are unused", got)
	}
	m.giveBack()
	if got := m.unused(); got > worthIt {
		t.Errorf("%d bytes are unused after they were given back", got)
	}
}
