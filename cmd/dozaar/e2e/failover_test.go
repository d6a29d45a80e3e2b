package e2e

import (
	"os"
	"testing"
)

// TestRedisFailover kills the master of a Redis with Sentinels, or one of those of a Redis Cluster, while clients send, and then
// the one that took its place. Nothing is lost, nobody is restarted, and the whole contract holds on those processes afterwards.
func TestRedisFailover(t *testing.T) {
	set := ownEngines(t).restored()
	if os.Getenv("DOZAAR_REDIS_MASTER") == "" && os.Getenv("DOZAAR_REDIS_CLUSTER") == "" {
		t.Skip("only where Redis has somebody to fail over to: run `make test-engines REDIS=sentinel` or `REDIS=cluster`")
	}
	p := start(t)
	room := p.talk(newPerson("Bea"), newPerson("Sam"), "")
	undisturbed(p, []string{"first", "second"}, func(failover string) {
		room.say("before the " + failover)
		masters := set.redisMasters()
		if len(masters) == 0 {
			t.Fatal("no Redis takes writes")
		}
		set.sh("kill", masters[0])
		set.haveMasters(len(masters), "after "+masters[0]+" was killed")
		room.say("after the " + failover)
		set.sh("start", masters[0])
		// Until it is told better, it takes itself for the master.
		set.haveMasters(len(masters), masters[0]+" runs again")
	})
	room.settle(p)
	p.javaScript("contract")
}
