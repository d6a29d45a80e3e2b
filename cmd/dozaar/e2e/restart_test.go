package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"testing"
	"time"
)

// victims are what is killed, one after the other: the one process three times over; or each role, alone and then
// all of one.
func (p *product) victims() [][]*process {
	if g := p.gateways; len(p.processes()) == 1 {
		return [][]*process{g, g, g}
	}
	return [][]*process{p.gateways[:1], p.delivers[:1], p.gateways[1:], p.delivers[1:], p.presences, p.delivers, p.gateways}
}

// TestRestart kills processes with SIGKILL while clients send. When they are back on the same data, every acknowledged
// message is in the history, once, numbered without a gap, and the sockets that came back were shown exactly that.
func TestRestart(t *testing.T) {
	p := start(t)
	undisturbed(p, p.victims(), func(victims []*process) {
		for _, one := range victims {
			one.kill()
		}
		for _, one := range victims {
			one.run()
		}
	})
}

// undisturbed has clients send while each of these things is done to the product, and holds what was acknowledged and
// what was shown against the history.
func undisturbed[E any](p *product, events []E, do func(E)) {
	p.t.Helper()
	t := p.t
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
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
	for rest := events; lines.Scan(); {
		switch line := lines.Text(); line {
		case "sending": // all goes well, and enough was acknowledged
			if len(rest) == 0 {
				_, _ = in.Write([]byte("finish\n"))
				continue
			}
			do(rest[0])
			rest = rest[1:]
			_, _ = in.Write([]byte("done\n"))
		default:
			if err := json.Unmarshal([]byte(line), &report); err != nil {
				t.Fatalf("the client said %q", line)
			}
		}
	}
	if err := client.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, problems)
	}
	t.Logf("%d messages acknowledged while %d things were done", report.Acked, len(events))
	if report.Acked < 100*len(events) {
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
