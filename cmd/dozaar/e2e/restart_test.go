package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"testing"
	"time"
)

// TestRestart kills the product with SIGKILL while clients send, three times over. When it is back on
// the same data, every acknowledged message is in the history, once, numbered without a gap, and the
// sockets that came back were shown exactly that.
func TestRestart(t *testing.T) {
	p := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	client := p.command(ctx, "node", "js/restart.mjs")
	out, err := client.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := client.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	problems := &safeBuffer{}
	client.Stderr = problems
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	var report struct {
		Acked                                      int
		Lost, Repeated, Gaps, Phantom, Disagreeing []string
	}
	for round := 0; lines.Scan(); {
		switch line := lines.Text(); line {
		case "sending": // enough was acknowledged since the last kill
			if round++; round > 3 {
				_, _ = in.Write([]byte("finish\n"))
				continue
			}
			p.kill()
			p.run()
			_, _ = in.Write([]byte("restarted\n"))
		default:
			if err := json.Unmarshal([]byte(line), &report); err != nil {
				t.Fatalf("the client said %q", line)
			}
		}
	}
	if err := client.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, problems)
	}
	t.Logf("%d messages acknowledged over three kills", report.Acked)
	if report.Acked < 300 {
		t.Errorf("only %d messages were acknowledged: the test proves little", report.Acked)
	}
	for name, found := range map[string][]string{
		"lost": report.Lost, "repeated": report.Repeated, "gaps": report.Gaps, "phantom": report.Phantom, "disagreeing": report.Disagreeing,
	} {
		if len(found) > 0 {
			t.Errorf("%s: %d, such as %s", name, len(found), found[0])
		}
	}
}
