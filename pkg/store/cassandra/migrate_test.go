package cassandra

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gocql/gocql"

	"github.com/dozaar/dozaar/pkg/chat"
)

// Any number start together on a keyspace that does not exist: each file is applied once, and all may go on.
func TestMigrateTogether(t *testing.T) {
	const starters = 5
	cfg := newKeyspace(t)
	files, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var done [starters][]string
	for i := range starters {
		all.Go(func() {
			var err error
			if done[i], err = Migrate(t.Context(), cfg); err != nil {
				t.Error(err)
				return
			}
			s, err := Open(t.Context(), cfg)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if err := s.PutMessages(t.Context(), []chat.StoredMessage{message(chat.NewID(), 1, "x")}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var names []string
	for _, list := range done {
		names = append(names, list...)
	}
	if len(names) != len(files) {
		t.Errorf("applied: %q", names)
	}
	if again, err := Migrate(t.Context(), cfg); err != nil || len(again) != 0 {
		t.Errorf("again: %q, %v", again, err)
	}
}

// Every node is counted, and all who ask choose the same one, whichever answers them.
func TestMigrateKnowsTheNodes(t *testing.T) {
	cfg := migrated(t)
	var mu sync.Mutex
	found := map[string]*gocql.HostInfo{} // as the driver finds them; it asks with each query
	session, err := connect(t.Context(), cfg.withDefaults(), "", func(h *gocql.HostInfo) bool {
		mu.Lock()
		defer mu.Unlock()
		if h.HostID() != "" {
			found[h.HostID()] = h
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	mu.Lock()
	hosts := maps.Clone(found)
	mu.Unlock()
	chosen := map[string]bool{}
	for range 4 { // more often than there are nodes to answer
		only, nodes, err := coordinator(t.Context(), cfg.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		if nodes != len(hosts) {
			t.Errorf("%d nodes were counted; there are %d", nodes, len(hosts))
		}
		for _, h := range hosts {
			if only(h) {
				chosen[h.HostID()] = true
			}
		}
	}
	if len(chosen) != 1 {
		t.Errorf("the schema would be changed through %d nodes; want one: %v", len(chosen), chosen)
	}
	var replication map[string]string
	if err := session.Query(`SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?`, cfg.Keyspace).Scan(&replication); err != nil {
		t.Fatal(err)
	}
	delete(replication, "class")
	want := "1"
	if len(hosts) >= 3 {
		want = "3"
	}
	for datacenter, factor := range replication {
		if factor != want {
			t.Errorf("replication in %s is %s; want %s with %d nodes", datacenter, factor, want, len(hosts))
		}
	}
	if len(replication) == 0 {
		t.Error("the keyspace has no replication")
	}
}

func TestOpenWantsTables(t *testing.T) {
	cfg := newKeyspace(t)
	refused := func(when string) {
		t.Helper()
		s, err := Open(t.Context(), cfg)
		if err == nil {
			t.Fatalf("%s: it was opened: %v", when, s.Close())
		}
		if !errors.Is(err, ErrSchema) || !strings.Contains(err.Error(), "dozaar migrate") || errors.Is(err, chat.ErrUnavailable) {
			t.Errorf("%s: %v", when, err)
		}
	}
	refused("without a keyspace")
	exec(t, cfg, "CREATE KEYSPACE "+cfg.Keyspace+" WITH replication = {'class': 'NetworkTopologyStrategy', 'replication_factor': 1}")
	refused("without tables")
	files, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := migrate(t.Context(), cfg.withDefaults(), files[:2]); err != nil {
		t.Fatal(err)
	}
	refused("of an older version")
	if names, err := Migrate(t.Context(), cfg); err != nil || len(names) != len(files)-2 {
		t.Fatal(names, err)
	}
	exec(t, cfg, "INSERT INTO "+cfg.Keyspace+".migrations (number, name) VALUES (99, '0099_newer.cql')")
	if err := open(t, cfg).Ping(t.Context()); err != nil {
		t.Errorf("of a newer version: %v", err)
	}
}

func TestMigrateRefusesAnEditedFile(t *testing.T) {
	cfg := migrated(t).withDefaults()
	files, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	files[1].text += "CREATE TABLE IF NOT EXISTS more (id int PRIMARY KEY);\n"
	if _, err := migrate(t.Context(), cfg, files); err == nil || !strings.Contains(err.Error(), files[1].name) {
		t.Errorf("it says %v", err)
	}
}

// A holder that died is waited for until its lock ends; one that gives up waiting leaves nothing behind.
func TestMigrateWaitsForTheLock(t *testing.T) {
	cfg := migrated(t)
	exec(t, cfg, "INSERT INTO "+cfg.Keyspace+".migration_lock (name, owner) VALUES ('migrate', uuid()) IF NOT EXISTS USING TTL 3")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := Migrate(ctx, cfg); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while it is held: %v", err)
	}
	if _, err := Migrate(t.Context(), cfg); err != nil {
		t.Errorf("after its holder's death: %v", err)
	}
}
