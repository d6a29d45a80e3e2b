package cassandra

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"go.uber.org/goleak"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/store/storetest"
)

var _ storetest.Store = (*Store)(nil)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hosts are those of the Cassandra to test against. Without one a developer's test is skipped, aloud, and CI's fails.
func hosts(t testing.TB) []string {
	t.Helper()
	list := os.Getenv("DOZAAR_TEST_CASSANDRA")
	if list == "" {
		if os.Getenv("CI_ENGINES") != "" {
			t.Fatal("DOZAAR_TEST_CASSANDRA names no hosts: in CI the tests against a real Cassandra must run")
		}
		t.Skip("SKIPPED, NOT TESTED AGAINST A REAL CASSANDRA: set DOZAAR_TEST_CASSANDRA to its host:port to run this test")
	}
	return strings.Split(list, ",")
}

// newKeyspace is the configuration of a keyspace of the test's own, which does not exist yet.
func newKeyspace(t testing.TB) Config {
	t.Helper()
	id := chat.NewID()
	cfg := Config{Hosts: hosts(t), Keyspace: fmt.Sprintf("test_%x", id[8:]), Logger: slog.New(slog.DiscardHandler)}
	t.Cleanup(func() {
		exec(t, cfg, "DROP KEYSPACE IF EXISTS "+cfg.Keyspace)
	})
	return cfg
}

// exec runs statements that are nobody's but the test's.
func exec(t testing.TB, cfg Config, statements ...string) {
	t.Helper()
	cfg.Timeout = ddlTimeout
	cluster, err := cfg.withDefaults().cluster("")
	if err != nil {
		t.Fatal(err)
	}
	session, err := cluster.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	for _, statement := range statements {
		if err := session.Query(statement).Consistency(gocql.Quorum).Exec(); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func migrated(t testing.TB) Config {
	t.Helper()
	cfg := newKeyspace(t)
	if _, err := Migrate(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func open(t testing.TB, cfg Config) *Store {
	t.Helper()
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// The suite runs twice: as configured, and with every conversation of more than one member wide.
func TestSuite(t *testing.T) {
	cfg := migrated(t)
	for name, above := range map[string]int{"narrow": 0, "wide": 1} {
		t.Run(name, func(t *testing.T) {
			cfg.WideAbove = above
			s := open(t, cfg)
			storetest.Run(t, func(*testing.T) storetest.Store { return s })
		})
	}
}

// Into a conversation of many thousands come at once: its members are read for one of them.
func TestPeersOfAWideConversationAreRemembered(t *testing.T) {
	cfg := migrated(t)
	cfg.WideAbove = 2
	fresh := open(t, cfg)
	cfg.WideAge = time.Hour
	s := open(t, cfg)
	c := chat.Conversation{ID: chat.NewID(), Revision: 1}
	for range 3 {
		c.Members = append(c.Members, chat.Member{UserID: chat.NewID(), Username: "x"})
	}
	if _, _, err := fresh.CreateConversation(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	peers := func(s *Store, of, want int) {
		t.Helper()
		if got, err := s.Peers(t.Context(), c.Members[of].UserID, 10); err != nil || len(got) != want {
			t.Errorf("peers %v, %v; want %d", got, err, want)
		}
	}
	peers(s, 0, 2)
	if _, err := fresh.RemoveMember(t.Context(), c.ID, c.Members[2].UserID); err != nil {
		t.Fatal(err)
	}
	peers(s, 1, 2)
	peers(fresh, 1, 1)
}
