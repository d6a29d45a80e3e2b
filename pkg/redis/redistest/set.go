package redistest

import (
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/dozaar/dozaar/pkg/redis"
)

// Set is a Redis with replicas.
type Set interface {
	Config() redis.Config
	Client() goredis.UniversalClient

	MasterOf(key string) *Server
	Replicas(of *Server) []*Server
	AwaitFailover(old *Server, key string) // until another node than old serves what old served
	AwaitReplica(node *Server)             // until a node that is back follows a master
}

// OnSets runs a test on a set of each kind, at the same time.
func OnSets(t *testing.T, test func(t *testing.T, s Set)) {
	t.Parallel()
	t.Run("sentinel", func(t *testing.T) {
		t.Parallel()
		test(t, StartSentinel(t))
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		test(t, StartCluster(t))
	})
}

// LoseAndKill kills the master of a key together with what is written meanwhile: it confirms that, and its
// replicas never hear of it.
func LoseAndKill(t testing.TB, s Set, key string, write func()) (old *Server) {
	t.Helper()
	old = s.MasterOf(key)
	replicas := s.Replicas(old)
	for _, r := range replicas {
		r.Pause()
	}
	// Or they would find it in their sockets when they go on.
	if err := direct(t, old).Do(t.Context(), "CLIENT", "KILL", "TYPE", "replica").Err(); err != nil {
		t.Fatal(err)
	}
	write()
	old.Kill()
	for _, r := range replicas {
		r.Resume()
	}
	return old
}

// Replicated waits until the replicas have all that a key's master has.
func Replicated(t testing.TB, s Set, key string) {
	t.Helper()
	master := s.MasterOf(key)
	replicas := len(s.Replicas(master))
	await(t, "the replicas have everything", func() bool {
		pipe := direct(t, master).Pipeline() // WAIT is for what its own connection has written
		pipe.Del(t.Context(), key+":probe")
		pipe.Set(t.Context(), key+":probe", 1, time.Millisecond)
		n := pipe.Do(t.Context(), "WAIT", replicas, 1000)
		_, _ = pipe.Exec(t.Context())
		reached, _ := n.Int()
		return reached == replicas
	})
}
