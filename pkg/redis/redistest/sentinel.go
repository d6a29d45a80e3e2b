package redistest

import (
	"net"
	"slices"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/dozaar/dozaar/pkg/redis"
)

// Sentinel is a master with two replicas, watched by three Sentinels that agree by two.
type Sentinel struct {
	t testing.TB

	Nodes     []*Server
	Sentinels []*Server
}

// masterName is what the Sentinels call the set.
const masterName = "dozaar"

// StartSentinel starts a set for the duration of the test, and waits until a failover would succeed: the
// replicas follow, and the Sentinels know them and each other.
func StartSentinel(t testing.TB) *Sentinel {
	t.Helper()
	s := &Sentinel{t: t}
	quick := []string{"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"}
	s.Nodes = append(s.Nodes, startServer(t, quick...))
	_, port, _ := net.SplitHostPort(s.Nodes[0].Addr())
	for range 2 {
		s.Nodes = append(s.Nodes, startServer(t, slices.Concat(quick, []string{"--replicaof", "127.0.0.1 " + port})...))
	}
	for range 3 {
		s.Sentinels = append(s.Sentinels, startServer(t, "--sentinel"))
	}
	for _, sentinel := range s.Sentinels {
		c := s.sentinel(sentinel)
		for _, err := range []error{
			c.Monitor(t.Context(), masterName, "127.0.0.1", port, "2").Err(),
			c.Set(t.Context(), masterName, "down-after-milliseconds", "1500").Err(),
			c.Set(t.Context(), masterName, "failover-timeout", "5000").Err(),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, replica := range s.Nodes[1:] {
		follows(t, replica)
	}
	for _, sentinel := range s.Sentinels {
		await(t, "the Sentinels know each other and the replicas", func() bool {
			m := s.master(sentinel)
			return m["num-slaves"] == "2" && m["num-other-sentinels"] == "2" && m["flags"] == "master"
		})
	}
	return s
}

// Config is how a client finds the master.
func (s *Sentinel) Config() redis.Config {
	return redis.Config{MasterName: masterName, Addrs: addrs(s.Sentinels)}
}

// Client opens a client of the master for the duration of the test.
func (s *Sentinel) Client() goredis.UniversalClient {
	s.t.Helper()
	return open(s.t, s.Config())
}

// MasterOf is the Master, whatever the key.
func (s *Sentinel) MasterOf(string) *Server {
	s.t.Helper()
	return s.Master()
}

// Replicas are the other nodes.
func (s *Sentinel) Replicas(of *Server) []*Server {
	return slices.DeleteFunc(slices.Clone(s.Nodes), func(n *Server) bool { return n == of })
}

// Master is the node that most Sentinels call the master.
func (s *Sentinel) Master() *Server {
	s.t.Helper()
	votes := map[string]int{}
	for _, sentinel := range s.Sentinels {
		m := s.master(sentinel)
		votes[net.JoinHostPort(m["ip"], m["port"])]++
	}
	for _, node := range s.Nodes {
		if votes[node.Addr()] >= 2 {
			return node
		}
	}
	s.t.Fatalf("the Sentinels disagree: %v", votes)
	return nil
}

// AwaitFailover waits until another node than old is the master.
func (s *Sentinel) AwaitFailover(old *Server, _ string) {
	s.t.Helper()
	await(s.t, "a failover", func() bool {
		moved := 0
		for _, sentinel := range s.Sentinels {
			if m := s.master(sentinel); m["port"] != "" && net.JoinHostPort(m["ip"], m["port"]) != old.Addr() {
				moved++
			}
		}
		return moved >= 2 && role(s.t, s.Master()) == "master"
	})
}

// AwaitReplica waits until a node that is back follows a master.
func (s *Sentinel) AwaitReplica(node *Server) {
	s.t.Helper()
	follows(s.t, node)
}

// master is what a Sentinel says of the master; nothing if it is away.
func (s *Sentinel) master(sentinel *Server) map[string]string {
	m, _ := s.sentinel(sentinel).Master(s.t.Context(), masterName).Result()
	return m
}

func (s *Sentinel) sentinel(server *Server) *goredis.SentinelClient {
	c := goredis.NewSentinelClient(&goredis.Options{
		Addr: server.Addr(), Protocol: 2, DisableIdentity: true,
		MaxRetries: -1, DialerRetries: 1, ReadTimeout: 500 * time.Millisecond,
	})
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}
