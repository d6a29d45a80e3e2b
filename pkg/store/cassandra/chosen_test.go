package cassandra

import (
	"net"
	"testing"

	"github.com/gocql/gocql"
)

func TestOnlyChosenNodesAreAsked(t *testing.T) {
	node := func(id string, last byte) *gocql.HostInfo {
		h := new(gocql.HostInfo).SetConnectAddress(net.IPv4(127, 0, 0, last))
		h.SetHostID(id)
		return h
	}
	ours, other := node("ours", 1), node("other", 2)
	policy := chosen{gocql.RoundRobinHostPolicy(), func(h *gocql.HostInfo) bool { return h.HostID() == "ours" }}
	asked := func(when string, want ...string) {
		t.Helper()
		var got []string
		for next := policy.Pick(nil); ; {
			h := next()
			if h == nil {
				break
			}
			got = append(got, h.Info().HostID())
		}
		if len(got) != len(want) || len(want) == 1 && got[0] != want[0] {
			t.Errorf("%s: %q are asked, want %q", when, got, want)
		}
	}
	policy.AddHost(other)
	policy.HostUp(other)
	asked("nobody of ours is there")
	policy.AddHost(ours)
	asked("one is", "ours")
	policy.HostDown(ours)
	asked("it has gone")
	policy.HostUp(ours)
	asked("it is back", "ours")
	if !policy.IsLocal(ours) || policy.IsLocal(other) {
		t.Error("a row's replica elsewhere would be asked")
	}
}

// A session on which no node may be asked is opened all the same, by any node's help, and asks none.
func TestNodesOfAnotherDatacenterAreNotAsked(t *testing.T) {
	cfg := migrated(t).withDefaults()
	var here string
	if err := open(t, cfg).session.Query("SELECT data_center FROM system.local").Consistency(gocql.One).Scan(&here); err != nil {
		t.Fatal(err)
	}
	cfg.LocalDC = here
	if err := open(t, cfg).Ping(t.Context()); err != nil {
		t.Errorf("in %s: %v", here, err)
	}
	cfg.LocalDC = "elsewhere"
	session, err := connect(t.Context(), cfg, cfg.Keyspace, cfg.ours())
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if err := session.Query("SELECT data_center FROM system.local").Consistency(gocql.One).Exec(); !transient(err) {
		t.Errorf("a node in %s was asked: %v", here, err)
	}
}

// Any one node is enough to begin with, also for what goes to one node alone.
func TestOneHostIsEnough(t *testing.T) {
	for _, host := range hosts(t) {
		cfg := newKeyspace(t)
		cfg.Hosts = []string{host}
		if _, err := Migrate(t.Context(), cfg); err != nil {
			t.Errorf("by %s alone: %v", host, err)
			continue
		}
		open(t, cfg)
	}
}
