package e2e

import (
	"os"
	"testing"
	"time"
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
		for end := time.Now().Add(startPatience); len(set.redisMasters()) < len(masters); time.Sleep(100 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("nobody took the place of %s of %v; masters are %v", masters[0], masters, set.redisMasters())
			}
		}
		room.say("after the " + failover)
		set.sh("start", masters[0])
	})
	room.settle(p)
	p.javaScript("contract")
}
