package load

import (
	"context"
	"errors"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/loadtest/history"
	"github.com/dozaar/dozaar/loadtest/standin"
)

// small is a plan of some seconds against a chat in memory.
func small(t *testing.T) Plan {
	chat := standin.New()
	server := httptest.NewServer(chat)
	target := NewDozaar([]string{server.URL}, []byte("any"))
	t.Cleanup(func() {
		target.Close()
		chat.Close()
		server.Close()
	})
	p := DefaultPlan()
	p.Target, p.History = target, filepath.Join(t.TempDir(), "history")
	p.Conversations, p.Duration, p.Connects = 10, 3*time.Second, 1000
	return p
}

// TestATargetThatKeepsNothing: what it cannot do is left out and said, and what devices were shown is judged all the same.
func TestATargetThatKeepsNothing(t *testing.T) {
	p := small(t)
	p.Target = struct{ Target }{p.Target} // only what every target can do
	result, err := Run(t.Context(), p)
	if err != nil || !result.Verdict.Clean() {
		t.Fatalf("%v %+v", err, result.Verdict)
	}
	n := result.Verdict.Counts
	if len(result.Course.LeftOut) != 3 || n.Stored != 0 || n.Looked != 0 || n.Acked < 100 || n.Shown < 2*n.Acked || result.Latency.Delivered.Count == 0 || result.Course.Late.Count < n.Sent {
		t.Errorf("%+v, %+v", result.Course.LeftOut, n)
	}
	again, err := history.Check(history.File(p.History), history.Options{})
	if err != nil || again.ExitCode() == 0 {
		t.Errorf("as of a product that keeps everything it is clean too: %v", err)
	}
}

func TestADeployThatFailsEndsTheRun(t *testing.T) {
	p := small(t)
	p.Deploy = 100 * time.Millisecond
	p.Restart = func(context.Context, int) error { return errors.New("it does not start") }
	if _, err := Run(t.Context(), p); err == nil || !strings.Contains(err.Error(), "gateway 1") {
		t.Error(err)
	}
	if p.Restart = nil; p.validate() == nil {
		t.Error("nobody says how to start a gateway again")
	}
}
