package redistest

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSlot(t *testing.T) {
	for key, want := range map[string]int{ // by CLUSTER KEYSLOT
		"foo": 12182, "{user1000}.following": Slot("user1000"), "foo{}{bar}": Slot("foo{}{bar}"), "foo{{bar}}zap": Slot("{bar"), "123456789": 12739,
	} {
		if got := Slot(key); got != want {
			t.Errorf("%s is in slot %d, want %d", key, got, want)
		}
	}
}

func TestSentinelFailsOver(t *testing.T) {
	t.Parallel()
	start := time.Now()
	s := StartSentinel(t)
	t.Log("up", time.Since(start))
	old := s.Master()
	start = time.Now()
	old.Pause()
	s.AwaitFailover(old, "")
	t.Log("failover", time.Since(start))
	start = time.Now()
	old.Resume()
	s.AwaitReplica(old)
	t.Log("replica", time.Since(start))
}

func TestClusterFailsOver(t *testing.T) {
	t.Parallel()
	start := time.Now()
	c := StartCluster(t)
	t.Log("up", time.Since(start))
	old := c.MasterOf("key")
	start = time.Now()
	old.Kill()
	c.AwaitFailover(old, "key")
	t.Log("failover", time.Since(start))
	start = time.Now()
	old.Restart()
	c.AwaitReplica(old)
	t.Log("replica", time.Since(start))
}
