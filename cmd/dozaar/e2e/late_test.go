package e2e

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

// TestEnginesComeLate starts every role while there is no engine, then the engines in an odd order, one of which dies
// while the roles are starting on it. Nobody helps: every role waits, and all is well in the end.
func TestEnginesComeLate(t *testing.T) {
	set := ownEngines(t).restored()
	for _, engine := range []string{"redis", "kafka", "cassandra"} {
		if set.nodes(engine) != 1 {
			t.Skip("only where each engine is one node: with more, one that is away is not missed")
		}
	}
	for _, node := range []string{"redis-1", "kafka-1", "registry", "cassandra-1"} {
		set.sh("stop", node)
	}
	p := roles(t, 2, 2, []string{"--dev"}, nil)
	p.begin()
	p.waitAlive()
	for _, node := range []string{"redis-1", "cassandra-1", "kafka-1"} {
		set.sh("start", node)
		p.stillStarting()
	}
	set.sh("kill", "cassandra-1")
	set.sh("start", "registry")
	time.Sleep(2 * time.Second) // in which the roles find everything but the store
	p.stillStarting()
	set.sh("start", "cassandra-1")
	p.waitReady()
	room := p.talk(newPerson("Bea"), newPerson("Sam"), "")
	room.say("here we are")
	room.settle(p)
}

// waitAlive waits until each process answers that it lives.
func (p *product) waitAlive() {
	p.t.Helper()
	for _, one := range p.processes() {
		for end := time.Now().Add(startPatience); one.probe("/livez") != http.StatusOK; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				p.t.Fatalf("%s does not say that it lives\n%s", one.args[0], one.out)
			}
		}
	}
}

// stillStarting insists that those that need every engine live, and are not ready.
func (p *product) stillStarting() {
	p.t.Helper()
	for _, one := range slices.Concat(p.gateways, p.delivers) {
		if alive, ready := one.probe("/livez"), one.probe("/readyz"); alive != http.StatusOK || ready == http.StatusOK {
			p.t.Errorf("%s: /livez is %d, /readyz %d, want 200 and not 200", one.args[0], alive, ready)
		}
	}
}
