package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestWrongClock builds a small program with the other time.Now: its wall clock is off, and what it measures is not.
func TestWrongClock(t *testing.T) {
	dir := t.TempDir()
	overlay, err := wrongClockOverlay(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	source := `package main

import (
	"fmt"
	"time"
)

func main() {
	began := time.Now()
	time.Sleep(time.Until(began.Add(20 * time.Millisecond)))
	fmt.Println(time.Now().Unix(), time.Since(began).Milliseconds())
}
`
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), keptHere); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "program")
	if out, err := exec.Command("go", "build", "-overlay", overlay, "-o", program, filepath.Join(dir, "main.go")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for off, want := range map[string]int64{"": 0, "60s": 60, "-60s": -60} {
		cmd := exec.Command(program)
		cmd.Env = []string{clockVariable + "=" + off}
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		wall, took, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
		at, err := strconv.ParseInt(wall, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if got := at - time.Now().Unix(); got < want-5 || got > want+1 {
			t.Errorf("%q: the clock is off by %d s", off, got)
		}
		if n, err := strconv.Atoi(took); err != nil || n < 20 || n > 5000 {
			t.Errorf("%q: 20 ms took %s ms", off, took)
		}
	}
}
