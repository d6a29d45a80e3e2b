package e2e

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/loadtest/load"
)

// TestHistory loads the product with many devices, cuts some of their connections, kills a gateway and a deliver with
// SIGKILL in the middle and starts them again. What the devices saw, and the whole history afterwards, must keep
// every promise.
func TestHistory(t *testing.T) {
	p := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	plan := load.DefaultPlan()
	var gateways []string
	for _, g := range p.gateways {
		gateways = append(gateways, "http://"+g.listen)
	}
	target := load.NewDozaar(gateways, []byte(secret))
	defer target.Close()
	plan.Target = target
	plan.Rate, plan.Conversations, plan.Duration, plan.Cuts = 60, 24, 12*time.Second, 1
	plan.Check.Examples = 2
	plan.History = filepath.Join(t.TempDir(), "history")
	plan.Out = &lines{t}
	loading, restarted := make(chan struct{}), make(chan struct{})
	plan.During = func(ctx context.Context, note func(string)) error {
		close(loading)
		select {
		case <-restarted:
			note("killed and started again")
		case <-ctx.Done():
		}
		return nil
	}
	var result load.Result
	failed, ended := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(ended)
		var err error
		result, err = load.Run(ctx, plan)
		failed <- err
	}()
	defer func() {
		cancel()
		<-ended
	}()
	select {
	case <-loading:
	case err := <-failed:
		t.Fatal(err)
	}
	time.Sleep(4 * time.Second)
	victims := slices.Compact([]*process{p.gateways[0], p.delivers[0]}) // in one process they are the same
	for _, v := range victims {
		v.kill()
		v.begin()
	}
	for _, v := range victims {
		if err := v.waitReady(startPatience); err != nil {
			t.Fatal(err)
		}
	}
	close(restarted)
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	var report strings.Builder
	result.Latency.Print(&report)
	result.Verdict.Print(&report)
	t.Log("\n" + report.String())
	if !result.Verdict.Clean() {
		t.Error("the history is not clean")
	}
	for what, n := range map[string][2]int64{
		"acknowledged": {result.Verdict.Counts.Acked, 400},
		"shown":        {result.Verdict.Counts.Shown, 800},
		"come back":    {result.Verdict.Counts.Reconnects, 24},
		"replays":      {result.Verdict.Counts.Replays, 1},
		"tries again":  {result.Verdict.Counts.Tries - result.Verdict.Counts.Sent, 1},
		"marks":        {result.Verdict.Counts.Marks, 50},
	} {
		if n[0] < n[1] {
			t.Errorf("%s: only %d, so this proves little", what, n[0])
		}
	}
}

// lines writes to the test's log.
type lines struct{ t *testing.T }

func (l *lines) Write(b []byte) (int, error) {
	l.t.Logf("%s", strings.TrimSuffix(string(b), "\n"))
	return len(b), nil
}
