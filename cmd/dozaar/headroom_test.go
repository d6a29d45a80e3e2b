package main

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

// The collector waits for as much as was promised, and no memory is used for it: in a process that has just begun, as a
// role has, and without the race detector, which keeps books of all memory.
func TestHeadroom(t *testing.T) {
	if os.Getenv("HEADROOM_TEST") == "" {
		fresh := exec.CommandContext(t.Context(), "go", "test", "-trimpath", "-count=1", "-run=^TestHeadroom$", ".") // -trimpath: as it was built before
		fresh.Env = append(os.Environ(), "HEADROOM_TEST=fresh")
		if out, err := fresh.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
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
	release := headroom(environment{}, math.MaxInt64)
	if got := next(); got < headroomBytes {
		t.Errorf("the next collection comes after %d KiB, without headroom after %d", got>>10, before>>10)
	}
	if more := resident() - used; more > headroomBytes/4 {
		t.Errorf("it uses %d KiB of memory", more>>10)
	}
	release()
	dirty := bytes.Repeat([]byte("x"), 2*headroomBytes) // so that Go clears what it gives next
	runtime.KeepAlive(dirty)
	debug.FreeOSMemory()
	used = resident()
	release = headroom(environment{}, math.MaxInt64)
	if more := resident() - used; more > headroomBytes/4 {
		t.Errorf("once more, it uses %d KiB of memory", more>>10)
	}
	release()
	release = headroom(environment{}, 256<<20)
	if got := next(); got >= headroomBytes {
		t.Errorf("in a quarter of a GiB the next collection comes after %d KiB", got>>10)
	}
	release()
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		release := headroom(environment{name: "200"}, math.MaxInt64)
		if got := next(); got >= headroomBytes {
			t.Errorf("with %s the next collection comes after %d KiB", name, got>>10)
		}
		release()
	}
}
