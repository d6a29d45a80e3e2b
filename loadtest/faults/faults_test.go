package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dozaar/dozaar/loadtest/history"
)

// TestDraw: a number draws so many kinds, by the seed, those on the same engines together.
func TestDraw(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(200) {
		drawn, err := draw("4", seed)
		if err != nil || len(drawn) != 4 {
			t.Fatal(len(drawn), err)
		}
		again, _ := draw("4", seed)
		if !slices.Equal(names(drawn), names(again)) {
			t.Fatalf("seed %d draws %v and %v", seed, names(drawn), names(again))
		}
		if !slices.IsSortedFunc(drawn, func(a, b kind) int { return strings.Compare(a.set, b.set) }) {
			t.Errorf("the engines of %v are started more than once", names(drawn))
		}
		for _, k := range drawn {
			seen[k.name] = true
		}
	}
	every, err := draw("all", 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range every {
		if !seen[k.name] {
			t.Errorf("%s is never drawn", k.name)
		}
	}
	for _, bad := range []string{"0", "1000", "kill-everybody", ""} {
		if _, err := draw(bad, 1); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestKinds: a name is one kind's alone, as results are told apart by it.
func TestKinds(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range kinds() {
		if seen[k.name] {
			t.Errorf("there are two kinds %s", k.name)
		}
		seen[k.name] = true
		if k.do == nil || k.what == "" || !slices.Contains([]string{single, cluster, embedded}, k.set) {
			t.Errorf("%s is not complete", k.name)
		}
	}
}

func TestTable(t *testing.T) {
	second := func(n float64) *time.Duration {
		d := time.Duration(n * float64(time.Second))
		return &d
	}
	text := table([]row{
		{Kind: "kill-deliver", Machine: "here", Counts: history.Counts{Acked: 100, Shown: 300}, measured: measured{Quiet: 1, Reached: 90, Recovery: second(2), Outage: time.Second}},
		{Kind: "kill-deliver", Machine: "here", Counts: history.Counts{Acked: 11, Shown: 22}, measured: measured{Quiet: 1, Reached: 80, Recovery: second(12), Outage: 3 * time.Second},
			Findings: map[history.Fault]int{history.Lost: 2, history.Altered: 5}, Stuck: []string{"deliver-1"}},
		{Kind: "kill-deliver", Machine: "here", measured: measured{Quiet: 1, Reached: 100}},
		{Kind: "kill-deliver", Machine: "here", measured: measured{Quiet: 0.5, Reached: 7, Recovery: second(40), Outage: time.Minute}, Incomplete: []string{"why"}},
	})
	want := "| kill-deliver: SIGKILL of one deliver of two, started again after 15s | 4 | 111, 322 | 2 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 6 | 1 | 7 to 100 |" +
		" 12.0 s, 12.0 s (more than 10s); not before the load ended: 1; machine too busy: 1 | 3.0 s |\n"
	if !strings.Contains(text, want) {
		t.Errorf("%s\nlacks\n%s", text, want)
	}
}

func TestCommandLine(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if code, err := run(over, []string{"-h"}); code != 0 || !errors.Is(err, flag.ErrHelp) {
		t.Errorf("asked for help: %d, %v", code, err)
	}
	if code, err := run(over, []string{"-dir", t.TempDir(), "kill-redis"}); code != 2 || err == nil || !strings.Contains(err.Error(), "-kinds") {
		t.Errorf("a kind without its flag: %d, %v", code, err)
	}
}

func TestExitCode(t *testing.T) {
	for want, rows := range map[int][]row{
		0: {{}},
		1: {{Findings: map[history.Fault]int{history.Gap: 1}}, {Stuck: []string{"all-1"}}, {Findings: map[history.Fault]int{history.Gap: 1}, Incomplete: []string{"why"}}},
		2: {{Incomplete: []string{"why"}}},
	} {
		for _, r := range rows {
			if got := r.exitCode(); got != want {
				t.Errorf("%+v: %d", r, got)
			}
		}
	}
}

// A broken promise stays one where the round then fails, and is among the results.
func TestAFindingIsKeptThoughTheRoundFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results")
	found := row{Kind: "calm", Findings: map[history.Fault]int{history.Lost: 1}}
	failed := errors.New("gateway-1 did not end")
	for i, c := range []struct {
		r      row
		failed error
		code   int
		rows   int
	}{
		{found, failed, 1, 1},
		{found, nil, 1, 2},
		{row{}, failed, 2, 2}, // nothing was judged
		{row{Kind: "calm"}, failed, 2, 3},
		{row{Kind: "calm"}, nil, 0, 4},
	} {
		code, err := record(c.r, c.failed, path)
		if code != c.code || !errors.Is(err, c.failed) {
			t.Errorf("%d: code %d, %v", i, code, err)
		}
		if rows, err := readRows(path); err != nil || len(rows) != c.rows {
			t.Errorf("%d: %d rows, %v", i, len(rows), err)
		}
	}
	if code, err := record(found, nil, filepath.Join(path, "none")); code != 1 || err == nil {
		t.Errorf("a finding that cannot be recorded: %d, %v", code, err)
	}
}

// Where no round is played, nothing was found: that is not to look like success.
func TestNoRoundIsNoSuccess(t *testing.T) {
	for _, args := range [][]string{
		{"-rounds", "-1"}, {"-within", "-1s"}, {"kill-gateway"}, {"-kinds", "calm", "kill-gateway", "-rounds", "0"},
	} {
		// Were it taken, nothing would be played: it has ended.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if code, err := run(ctx, append([]string{"-dir", t.TempDir()}, args...)); code != 2 || err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("%v: %d, %v", args, code, err)
		}
	}
	late := options{until: time.Now().Add(-time.Second), rounds: 1, dir: t.TempDir()}
	if code, err := playAll(t.Context(), late, "", kinds()[:2]); code != 2 || !errors.Is(err, errNothing) {
		t.Errorf("too late for every round: %d, %v", code, err)
	}
}

// Whoever presses Ctrl-C again while the engines are ended ends none of the scripts that end them; one that starts engines is asked
// to end what it started.
func TestEnginesAreEndedThoughInterrupted(t *testing.T) {
	t.Chdir(t.TempDir())
	const script = `#!/bin/sh
trap 'echo undone >undone; exit 1' TERM
echo $$ >started.new
mv started.new started
sleep 60 &
wait
`
	if err := errors.Join(os.MkdirAll(filepath.Dir(enginesScript), 0o750), os.WriteFile(enginesScript, []byte(script), 0o700)); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- (&engines{set: single, dir: t.TempDir()}).script(ctx, "up") }()
	var text []byte
	for end := time.Now().Add(20 * time.Second); len(text) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the script does not start")
		}
		text, _ = os.ReadFile("started")
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if group, err := syscall.Getpgid(pid); err != nil || group != pid {
		t.Errorf("the script is of the group %d, %v; want one of its own, which the terminal does not interrupt", group, err)
	}
	cancel()
	if err := <-ended; err == nil {
		t.Error("an interrupted script did not fail")
	}
	if _, err := os.Stat("undone"); err != nil {
		t.Error("the script could not end what it started: ", err)
	}
}
