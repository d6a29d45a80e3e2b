package e2e

import (
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// before is the commit whose product stands for the version before today's: the oldest one that today's runs beside. Once there
// are releases it is the last one's.
const before = "45345eccc55930c1cee5d7be20538060609a33db"

// TestVersionsSideBySide deploys today's version over the one before and rolls it back, as the runbook has it: tables, schemas and
// topics first, then process by process, while clients send. At every step, so also while gateways and delivers are
// of both versions, messages go from either gateway to the other through either deliver.
func TestVersionsSideBySide(t *testing.T) {
	if !realEngines() {
		t.Skip("versions meet where each role is on its own: run `make test-engines`")
	}
	if testing.Short() {
		t.Skip("it builds another version")
	}
	today, old := built(t), builtFrom(t, before)
	p := roles(t, 2, 2, nil, nil)
	p.notifies = nil // it came later
	for _, one := range p.processes() {
		one.binary = old
	}
	p.run()
	first := []*process{p.gateways[0], p.delivers[0]}
	rest := slices.DeleteFunc(p.processes(), func(one *process) bool { return slices.Contains(first, one) })
	steps := []deployStep{
		{"today's beside the old ones", today, first},
		{"today's alone", today, rest},
		{"old ones beside today's", old, first},
		{"old ones alone", old, rest},
	}
	undisturbed(p, steps, func(step deployStep) {
		if step.binary == today { // a version that is rolled back leaves tables, schemas and topics as they are
			if err := prepareBy(today); err != nil {
				t.Fatal(err)
			}
		}
		for _, one := range step.processes {
			one.stop()
			one.binary = step.binary
			one.run()
		}
		p.everyWay()
		t.Logf("%s: all goes well", step.name)
	})
}

// deployStep is what is replaced together, and by what.
type deployStep struct {
	name, binary string
	processes    []*process
}

// everyWay has people at each gateway heard at the other one, in conversations enough for each deliver to get some, once it has partitions.
func (p *product) everyWay() {
	p.t.Helper()
	back := *p
	back.gateways = slices.Clone(p.gateways)
	slices.Reverse(back.gateways)
	for _, way := range []*product{p, &back} {
		for range 12 {
			c := way.talk(newPerson("Bea"), newPerson("Sam"), "")
			c.say("there you are")
			c.settle(way)
			c.buyer.close()
			c.seller.close()
		}
	}
	for end := time.Now().Add(patience); slices.ContainsFunc(p.delivers, (*process).idle); {
		if time.Now().After(end) {
			p.t.Fatal("a deliver has had nothing to do")
		}
		p.talk(newPerson("Bea"), newPerson("Sam"), "").say("and you?")
	}
}

// idle tells that the process has numbered nothing.
func (p *process) idle() bool { return p.metric("dozaar_deliver_messages_numbered_total") == 0 }

// builtFrom is a commit's product.
func builtFrom(t *testing.T, commit string) string {
	t.Helper()
	if err := exec.Command("git", "cat-file", "-e", commit+"^{commit}").Run(); err != nil {
		t.Skipf("NOT TESTED: commit %s is not here; `git fetch --unshallow` brings it (%v)", commit, err)
	}
	source, binary := t.TempDir(), filepath.Join(t.TempDir(), "dozaar")
	const script = `git -C "$(git rev-parse --show-toplevel)" archive "$1" | tar -x -C "$2" && cd "$2" && go build -trimpath -o "$3" ./cmd/dozaar`
	if out, err := exec.Command("bash", "-euo", "pipefail", "-c", script, "bash", commit, source, binary).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}
