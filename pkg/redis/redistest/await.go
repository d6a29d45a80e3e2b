package redistest

import (
	"context"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// await waits until the condition holds.
func await(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(40 * time.Second); !condition(); time.Sleep(25 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// direct is a client of one server, whatever it is a part of.
func direct(t testing.TB, s *Server) *goredis.Client {
	s.clientOnce.Do(func() {
		s.client = goredis.NewClient(&goredis.Options{
			Addr: s.Addr(), Protocol: 2, DisableIdentity: true, ContextTimeoutEnabled: true, MaxRetries: 3, DialerRetries: 1,
		})
		t.Cleanup(func() { _ = s.client.Close() })
	})
	return s.client
}

// role is "master" or "slave"; empty if the server is away.
func role(t testing.TB, s *Server) string { return replication(t, s)["role"] }

// follows waits until a replica has all that its master has.
func follows(t testing.TB, s *Server) {
	t.Helper()
	await(t, "a replica follows", func() bool {
		info := replication(t, s)
		return info["role"] == "slave" && info["master_link_status"] == "up"
	})
}

func replication(t testing.TB, s *Server) map[string]string {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	text, _ := direct(t, s).Info(ctx, "replication").Result()
	return fields(text)
}
