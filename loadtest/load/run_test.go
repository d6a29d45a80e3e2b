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
	p, _ := mortal(t)
	return p
}

// mortal is the same, and how that chat dies.
func mortal(t *testing.T) (p Plan, die func()) {
	chat := standin.New()
	server := httptest.NewServer(chat)
	target := NewDozaar([]string{server.URL}, []byte("any"))
	t.Cleanup(func() {
		target.Close()
		chat.Close()
		server.Close()
	})
	p = DefaultPlan()
	p.Target, p.History = target, filepath.Join(t.TempDir(), "history")
	p.Conversations, p.Duration, p.Connects = 10, 3*time.Second, 1000
	return p, func() {
		_ = server.Listener.Close()
		chat.Close()
		server.CloseClientConnections()
	}
}

// TestATargetThatDiesIsTold: there is a result of what there was, and it comes to an end.
func TestATargetThatDiesIsTold(t *testing.T) {
	t.Parallel()
	p, die := mortal(t)
	p.Settle = time.Second
	time.AfterFunc(2*time.Second, die)
	result, err := Run(t.Context(), p)
	v := result.Verdict
	if err == nil || result.Course == nil || result.Course.Messages == 0 || v.ExitCode() != 2 || v.Counts.Shown == 0 {
		t.Errorf("%v, %+v", err, v)
	}
}

// TestALoadThatIsEndedIsJudged: what was sent by then is waited for, read back and judged like any other.
func TestALoadThatIsEndedIsJudged(t *testing.T) {
	t.Parallel()
	p, enough := small(t), make(chan struct{})
	p.Duration, p.Enough = time.Hour, enough
	time.AfterFunc(3*time.Second, func() { close(enough) })
	result, err := Run(t.Context(), p)
	if err != nil || !result.Verdict.Clean() || result.Verdict.Counts.Acked == 0 || len(result.Course.Notes) != 1 {
		t.Errorf("%v, %+v, %+v", err, result.Verdict, result.Course)
	}
	if result, err = Run(t.Context(), p); !errors.Is(err, errEnough) || result.Course != nil {
		t.Errorf("ended before it began: %v, %+v", err, result)
	}
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
	result, err := Run(t.Context(), p)
	if err == nil || !strings.Contains(err.Error(), "gateway 1") {
		t.Error(err)
	}
	if result.Course == nil || result.Verdict.ExitCode() != 2 || !strings.Contains(strings.Join(result.Verdict.Incomplete, "\n"), "gateway 1") {
		t.Errorf("what there is is not told: %+v", result.Verdict)
	}
	if p.Restart = nil; p.validate() == nil {
		t.Error("nobody says how to start a gateway again")
	}
}
