package e2e

import (
	"testing"
	"time"
)

// awayFor is how long an engine is away: longer than a publish may take, and than a consumer may be silent.
const awayFor = 15 * time.Second

// TestEngineAway takes each engine away while clients send: hung, with its connections open, and killed. A send is
// answered in bounded time: without Kafka by `unavailable`, else by an acknowledgement. When the engine is back everything goes on by
// itself, and what was acknowledged is there once, in order, for everybody.
func TestEngineAway(t *testing.T) {
	set := ownEngines(t).restored()
	events := []absence{
		{"kafka-1", "pause", "resume", "unavailable"},
		{"cassandra-1", "pause", "resume", ""},
		{"redis-1", "kill", "start", ""},
	}
	if !testing.Short() {
		events = append(events,
			absence{"kafka-1", "kill", "start", "unavailable"},
			absence{"cassandra-1", "kill", "start", ""},
			absence{"redis-1", "pause", "resume", ""},
		)
	}
	if set.nodes("kafka") > 1 {
		for i := range events {
			events[i].sends = "" // the other brokers take over
		}
	}
	p := start(t)
	room := p.talk(newPerson("Bea"), newPerson("Sam"), "")
	undisturbed(p, events, func(e absence) {
		room.say("before")
		set.sh(e.leave, e.node)
		sends, end := 0, time.Now().Add(awayFor)
		for ; time.Now().Before(end); sends++ {
			began := time.Now()
			// The first may be one that was through before all of the engine stood still.
			if code := room.send("meanwhile", newPerson("x").ID); code != e.sends && (sends > 0 || code != "") {
				t.Errorf("%s, %s: a send was answered %q after %v, want %q", e.node, e.leave, code, time.Since(began), e.sends)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if e.node == "cassandra-1" && set.nodes("cassandra") == 1 && sends < 10 {
			t.Errorf("%s, %s: only %d sends were answered in %v: more than the first has waited for the store", e.node, e.leave, sends, awayFor)
		}
		set.sh(e.back, e.node)
		back := time.Now()
		room.say("after")
		t.Logf("%s, %s: %d sends were answered meanwhile; all was well again after %v", e.node, e.leave, sends, time.Since(back).Round(time.Millisecond))
	})
	room.settle(p)
}

// absence is what is done to a node, and the code with which sends are answered meanwhile; none is an acknowledgement.
type absence struct{ node, leave, back, sends string }
