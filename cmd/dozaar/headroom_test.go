package main

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// The collector waits for as much as was promised, and no memory is used for it.
func TestHeadroom(t *testing.T) {
	resident := func() int {
		text, err := os.ReadFile("/proc/self/statm")
		if err != nil {
			t.Skip("resident memory is read from /proc:", err)
		}
		pages, err := strconv.Atoi(strings.Fields(string(text))[1])
		if err != nil {
			t.Fatal(err)
		}
		return pages * os.Getpagesize()
	}
	next := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.NextGC - m.HeapAlloc
	}
	before, used := next(), resident()
	release := headroom(func(string) (string, bool) { return "", false })
	if got := next(); got < headroomBytes {
		t.Errorf("the next collection comes after %d KiB, without headroom after %d", got>>10, before>>10)
	}
	if more := resident() - used; more > headroomBytes/4 {
		t.Errorf("it uses %d KiB of memory", more>>10)
	}
	release()
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		release := headroom(func(asked string) (string, bool) { return "200", asked == name })
		if got := next(); got >= headroomBytes {
			t.Errorf("with %s the next collection comes after %d KiB", name, got>>10)
		}
		release()
	}
}
