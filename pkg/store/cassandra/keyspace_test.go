package cassandra

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/dozaar/dozaar/pkg/chat"
)

func TestReplicasNeedAQuorumOfNodes(t *testing.T) {
	const simple, network = "org.apache.cassandra.locator.SimpleStrategy", "org.apache.cassandra.locator.NetworkTopologyStrategy"
	for name, c := range map[string]struct {
		replication map[string]string
		nodes       map[string]int
		local       string
		says        string // "": enough
	}{
		"one of one":             {map[string]string{"class": network, "dc1": "1"}, map[string]int{"dc1": 1}, "", ""},
		"three of three":         {map[string]string{"class": network, "dc1": "3"}, map[string]int{"dc1": 3}, "", ""},
		"three of two":           {map[string]string{"class": network, "dc1": "3"}, map[string]int{"dc1": 2}, "", ""},
		"three of one":           {map[string]string{"class": network, "dc1": "3"}, map[string]int{"dc1": 1}, "", "3 replicas in datacenter dc1, where there are 1 nodes"},
		"two of one":             {map[string]string{"class": network, "dc1": "2"}, map[string]int{"dc1": 1}, "", "ALTER KEYSPACE with 'dc1': 1"},
		"one is transient":       {map[string]string{"class": network, "dc1": "3/1"}, map[string]int{"dc1": 1}, "", "3 replicas"},
		"simple, three of three": {map[string]string{"class": simple, "replication_factor": "3"}, map[string]int{"dc1": 2, "dc2": 1}, "", ""},
		"simple, three of one":   {map[string]string{"class": simple, "replication_factor": "3"}, map[string]int{"dc1": 1}, "", "3 replicas in the cluster, where there are 1 nodes"},
		"elsewhere too few":      {map[string]string{"dc1": "3", "dc2": "3"}, map[string]int{"dc1": 3, "dc2": 1}, "dc1", ""},
		"here too few":           {map[string]string{"dc1": "3", "dc2": "3"}, map[string]int{"dc1": 3, "dc2": 1}, "dc2", "datacenter dc2"},
		"somewhere too few":      {map[string]string{"dc1": "3", "dc2": "3"}, map[string]int{"dc1": 3, "dc2": 1}, "", "datacenter dc2"},
		"a datacenter of nobody": {map[string]string{"dc1": "3", "gone": "3"}, map[string]int{"dc1": 3}, "", "datacenter gone, where there are 0 nodes"},
		"prefers who has none":   {map[string]string{"dc1": "3"}, map[string]int{"dc1": 1}, "dc9", "datacenter dc1"},
	} {
		err := enough(Config{LocalDC: c.local}.withDefaults(), c.replication, c.nodes)
		if (err == nil) != (c.says == "") || err != nil && (!errors.Is(err, ErrReplicas) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v", name, err)
		}
		if errors.Is(err, chat.ErrUnavailable) {
			t.Errorf("%s: it would be waited for: %v", name, err)
		}
	}
}

func TestADatacenterIsNamedWhereThereAreSeveral(t *testing.T) {
	both := map[string]string{"class": "NetworkTopologyStrategy", "dc1": "3", "dc2": "3"}
	one, two := map[string]int{"dc1": 3}, map[string]int{"dc1": 3, "dc2": 3}
	for name, c := range map[string]struct {
		replication map[string]string
		nodes       map[string]int
		local       string
		says        string // "": good
	}{
		"one, not named":           {both, one, "", ""},
		"one, named":               {both, one, "dc1", ""},
		"one, named wrongly":       {both, one, "dc9", "no node is in datacenter dc9, but in dc1"},
		"several, not named":       {both, two, "", "several datacenters (dc1, dc2)"},
		"several, named":           {both, two, "dc2", ""},
		"several, named wrongly":   {both, two, "DC2", "but in dc1, dc2"},
		"no replicas there":        {map[string]string{"dc1": "3"}, two, "dc2", "keyspace dozaar has no replica in datacenter dc2"},
		"none any more":            {map[string]string{"dc1": "3", "dc2": "0"}, two, "dc2", "no replica in datacenter dc2"},
		"a class that knows none":  {map[string]string{"replication_factor": "3"}, two, "dc2", ""},
		"ten of them are not none": {map[string]string{"dc1": "10"}, one, "dc1", ""},
	} {
		err := datacenter(Config{LocalDC: c.local}.withDefaults(), c.replication, c.nodes)
		if (err == nil) != (c.says == "") || err != nil && (!errors.Is(err, ErrDatacenter) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v", name, err)
		}
		if errors.Is(err, chat.ErrUnavailable) {
			t.Errorf("%s: it would be waited for: %v", name, err)
		}
	}
	if err := datacenter(Config{Consistency: "QUORUM"}.withDefaults(), both, two); err != nil {
		t.Errorf("a quorum of all of them: %v", err)
	}
}

func TestAKeyspaceHasAllThatWasMade(t *testing.T) {
	files, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	whole := func() map[string][]string {
		have := map[string][]string{"newer": {"id"}}
		for _, f := range files {
			maps.Copy(have, f.columns())
		}
		return have
	}
	if err := complete("k", files, whole()); err != nil {
		t.Error(err)
	}
	for table, made := range whole() {
		for i, column := range made {
			have := whole()
			have[table] = slices.Delete(slices.Clone(made), i, i+1)
			if err := complete("k", files, have); table != "newer" && len(made) > 1 && (!errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "table "+table+" of keyspace k has lost its column "+column)) {
				t.Errorf("without %s.%s: %v", table, column, err)
			}
		}
		have := whole()
		delete(have, table)
		if err := complete("k", files, have); table != "newer" && (!errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "lost its table "+table)) {
			t.Errorf("without %s: %v", table, err)
		}
	}
}

// What is read from the files is what Cassandra makes of them.
func TestColumnsAreThoseOfTheFiles(t *testing.T) {
	cfg := migrated(t).withDefaults()
	session, err := connect(t.Context(), cfg, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	have, err := columns(t.Context(), session, cfg.Keyspace)
	if err != nil {
		t.Fatal(err)
	}
	files, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		for table, made := range f.columns() {
			slices.Sort(made)
			if is := slices.Sorted(slices.Values(have[table])); !slices.Equal(made, is) {
				t.Errorf("table %s has %q; read from %s: %q", table, is, f.name, made)
			}
			delete(have, table)
		}
	}
	if left := slices.Sorted(maps.Keys(have)); !slices.Equal(left, []string{"migration_lock", "migrations"}) {
		t.Errorf("tables that no file makes: %q", left)
	}
}

func TestOpenAndMigrateRefuseWhatNeverWorks(t *testing.T) {
	refused := func(when string, cfg Config, want error, says string) {
		t.Helper()
		s, opening := Open(t.Context(), cfg)
		if opening == nil {
			t.Fatalf("%s: it was opened: %v", when, s.Close())
		}
		_, migrating := Migrate(t.Context(), cfg)
		for _, err := range []error{opening, migrating} {
			if !errors.Is(err, want) || !strings.Contains(err.Error(), says) || errors.Is(err, chat.ErrUnavailable) {
				t.Errorf("%s: %v", when, err)
			}
		}
	}
	cfg := newKeyspace(t)
	const many = 99
	greedy := cfg
	greedy.Replication = many
	if _, err := Migrate(t.Context(), greedy); !errors.Is(err, ErrReplicas) || !strings.Contains(err.Error(), "DOZAAR_CASSANDRA_REPLICATION") {
		t.Errorf("to be made: %v", err)
	}
	if _, err := Migrate(t.Context(), cfg); err != nil { // nothing was made before
		t.Fatal(err)
	}
	keyspace := func(factor int) string {
		return fmt.Sprintf("ALTER KEYSPACE %s WITH replication = {'class': 'SimpleStrategy', 'replication_factor': %d}", cfg.Keyspace, factor)
	}
	elsewhere := cfg
	elsewhere.LocalDC = "nowhere"
	refused("a datacenter of nobody", elsewhere, ErrDatacenter, "datacenter nowhere")
	exec(t, cfg, keyspace(many))
	refused("too many replicas", cfg, ErrReplicas, "99 replicas")
	exec(t, cfg, keyspace(1), "ALTER TABLE "+cfg.Keyspace+".messages DROP text")
	refused("without a column", cfg, ErrDamaged, "column text")
	exec(t, cfg, "DROP TABLE "+cfg.Keyspace+".topics", "ALTER TABLE "+cfg.Keyspace+".messages ADD text text")
	refused("without a table", cfg, ErrDamaged, "table topics")
}

func TestHostsWithoutAnAddressAreNamed(t *testing.T) {
	const nobody = "cassandra.invalid" // RFC 2606
	_, err := Open(t.Context(), Config{Hosts: []string{nobody, nobody + ":9042"}})
	if !errors.Is(err, chat.ErrUnavailable) || strings.Count(err.Error(), nobody) != 2 {
		t.Errorf("none has one: %v", err)
	}
	if dns, ok := errors.AsType[*net.DNSError](err); !ok || dns.Name != nobody {
		t.Errorf("none has one: %v", err)
	}
	if why := unresolved(t.Context(), []string{"127.0.0.1", "127.0.0.1:9042", "[::1]:9042", nobody}); len(why) != 1 || !strings.Contains(why[0].Error(), nobody) {
		t.Errorf("one has none: %v", why)
	}
}

func TestOpenTellsOfAHostWithoutAnAddress(t *testing.T) {
	cfg := migrated(t)
	var log strings.Builder
	cfg.Hosts = append(cfg.Hosts, "cassandra.invalid:9042")
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	open(t, cfg)
	if !strings.Contains(log.String(), "cassandra.invalid") {
		t.Errorf("log: %s", log.String())
	}
}
