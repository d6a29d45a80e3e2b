package presence

import (
	"testing"

	"github.com/dozaar/dozaar/pkg/chat"
)

// The set of a user's leases has a life of its own, which some renewals extend. After an absence of Redis of longer than a TTL, at
// the worst moment, it outlasts the renewals until the next of them.
func TestLeasesOutlastAnAbsence(t *testing.T) {
	w := miniWorld(t)
	g := w.gateway("g")
	users := make([]chat.ID, extendEvery)
	for phase := range users {
		users[phase] = chat.NewID()
		w.connect(g, users[phase])
		g.table.leases[lease{id: users[phase]}].beats = phase
	}
	w.pass(2*w.ttl - w.ttl/3)
	w.mini.SetError("ERR away")
	for end := w.now().Add(w.ttl + w.unit()); w.now().Before(end); w.move(4 * w.unit()) {
		if _, err := g.beat(t.Context()); err == nil {
			t.Fatal("Redis is not away")
		}
	}
	w.mini.SetError("")
	w.step()
	w.pass(w.settle() + w.unit())
	for end := w.now().Add(4 * w.ttl); w.now().Before(end); w.pass(w.unit()) {
		for phase, user := range users {
			if got := w.status(user); got != "online" {
				t.Fatalf("phase %d: %s", phase, got)
			}
		}
	}
	w.wantTold()
}
