package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

func TestMemoryLimitIsTheContainers(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	debug.SetMemoryLimit(math.MaxInt64)
	if got := limitMemory(func() (uint64, error) { return 0, memlimit.ErrNoLimit }); got != math.MaxInt64 {
		t.Errorf("a container without a limit gives %d", got)
	}
	t.Setenv("GOMEMLIMIT", "300MiB") // the runtime has read it when the process began
	debug.SetMemoryLimit(300 << 20)
	if got := limitMemory(memlimit.Limit(1 << 30)); got != 300<<20 {
		t.Errorf("GOMEMLIMIT was overruled: %d", got)
	}
	if err := os.Unsetenv("GOMEMLIMIT"); err != nil { // Setenv above puts back what was
		t.Fatal(err)
	}
	debug.SetMemoryLimit(math.MaxInt64)
	limit := int64(1 << 30)
	if got := limitMemory(memlimit.Limit(uint64(limit))); got != limit/10*9 && got != int64(float64(limit)*memoryShare) {
		t.Errorf("of 1 GiB: %d", got)
	}
}

func TestFullness(t *testing.T) {
	for _, c := range []struct {
		limit int64
		live  uint64
		want  string
	}{
		{math.MaxInt64, 1 << 60, ""},
		{1000, 800, ""},
		{1000, 801, "memory"},
	} {
		if got := (fullness{c.limit, func() uint64 { return c.live }}).overload(); got != c.want {
			t.Errorf("%d of %d: %q", c.live, c.limit, got)
		}
	}
	// What is measured is what is in use, garbage not included.
	f := newFullness(100 << 20)
	runtime.GC()
	before := f.live()
	kept := make([]byte, 90<<20)
	runtime.GC()
	if got := f.overload(); got != "memory" {
		t.Errorf("with 90 of 100 MiB in use: %q (%d, before it %d)", got, f.live(), before)
	}
	runtime.KeepAlive(kept)
	runtime.GC()
	if got := f.overload(); got != "" {
		t.Errorf("when it is free again: %q, %d", got, f.live())
	}
}
