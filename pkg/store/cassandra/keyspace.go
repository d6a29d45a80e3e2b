package cassandra

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gocql/gocql"
)

// ErrReplicas says that a keyspace has more replicas than there are nodes to make a quorum of them.
var ErrReplicas = errors.New("no quorum of the keyspace's replicas can ever answer")

// ErrDatacenter says that it is not settled which datacenter is ours. A quorum of one has not seen yet what a quorum of
// another was given: a number that is stored here would be free there.
var ErrDatacenter = errors.New("set DOZAAR_CASSANDRA_DC, for all roles the same")

// ErrDamaged says that a table that Migrate has made has lost columns since, or is gone. Migrate applies a file once:
// what it would make again would be empty, and what was stored before would look as if it had never been.
var ErrDamaged = errors.New("`dozaar migrate` does not repair that; restore the keyspace from a backup (a column that is added again by hand would hide what is written to it)")

// checkSchema answers how many files were applied to a keyspace in which the program can work, on a session that does
// not need the keyspace to exist.
func checkSchema(ctx context.Context, cfg Config) (version int, err error) {
	session, err := connect(ctx, cfg, "", nil)
	if err != nil {
		return 0, err
	}
	defer session.Close()
	files, err := migrations()
	if err != nil {
		return 0, err
	}
	have, err := columns(ctx, session, cfg.Keyspace)
	if err != nil {
		return 0, err
	}
	if have["migrations"] == nil {
		return 0, fmt.Errorf("keyspace %s has no tables: %w", cfg.Keyspace, ErrSchema)
	}
	if err := checkReplicas(ctx, session, cfg, 0); err != nil {
		return 0, err
	}
	done, err := applied(ctx, session, cfg.Keyspace)
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		if _, ok := done[f.number]; !ok {
			return 0, fmt.Errorf("keyspace %s lacks %s: %w", cfg.Keyspace, f.name, ErrSchema)
		}
	}
	return len(done), complete(cfg.Keyspace, files, have)
}

// columns are those of a keyspace, by table.
func columns(ctx context.Context, session *gocql.Session, keyspace string) (map[string][]string, error) {
	have := map[string][]string{}
	err := rows(session.Query(`SELECT table_name, column_name FROM system_schema.columns WHERE keyspace_name = ?`, keyspace).
		WithContext(ctx).Consistency(gocql.LocalOne), func(row gocql.Scanner) (bool, error) {
		var table, column string
		err := row.Scan(&table, &column)
		have[table] = append(have[table], column)
		return false, err
	})
	return have, err
}

var (
	tableMade  = regexp.MustCompile(`^CREATE TABLE IF NOT EXISTS (\w+) \(\n`)
	columnMade = regexp.MustCompile(`^(\w+) +\S`)
)

// columns are those that a file makes, by table.
func (m migration) columns() map[string][]string {
	made := map[string][]string{}
	for _, statement := range m.statements() {
		table := tableMade.FindStringSubmatch(statement)
		if table == nil {
			continue
		}
		for line := range strings.Lines(statement[len(table[0]):]) {
			if column := columnMade.FindStringSubmatch(line); column != nil && column[1] != "PRIMARY" {
				made[table[1]] = append(made[table[1]], column[1])
			}
		}
	}
	return made
}

// complete wants all that the files have made to be there.
func complete(keyspace string, files []migration, have map[string][]string) error {
	for _, f := range files {
		made := f.columns()
		for _, table := range slices.Sorted(maps.Keys(made)) {
			if have[table] == nil {
				return fmt.Errorf("keyspace %s has lost its table %s: %w", keyspace, table, ErrDamaged)
			}
			for _, column := range made[table] {
				if !slices.Contains(have[table], column) {
					return fmt.Errorf("table %s of keyspace %s has lost its column %s: %w", table, keyspace, column, ErrDamaged)
				}
			}
		}
	}
	return nil
}

// checkReplicas wants the keyspace to have no more replicas than its nodes can make a quorum of. One that is not there is
// to have so many in each datacenter.
func checkReplicas(ctx context.Context, session *gocql.Session, cfg Config, toBe int) error {
	_, nodes, err := members(ctx, session)
	if err != nil {
		return err
	}
	var replication map[string]string
	found, err := one(session.Query(`SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?`, cfg.Keyspace).
		WithContext(ctx).Consistency(gocql.LocalOne), &replication)
	if err != nil {
		return err
	}
	if !found {
		replication = map[string]string{}
		for datacenter := range nodes {
			replication[datacenter] = strconv.Itoa(toBe)
		}
	}
	if err := datacenter(cfg, replication, nodes); err != nil {
		return err
	}
	return enough(cfg, replication, nodes)
}

// datacenter wants one that has nodes and replicas to be named, where there are several.
func datacenter(cfg Config, replication map[string]string, nodes map[string]int) error {
	if cfg.Consistency != "LOCAL_QUORUM" {
		return nil
	}
	there := strings.Join(slices.Sorted(maps.Keys(nodes)), ", ")
	_, everywhere := replication["replication_factor"] // a class that knows no datacenters
	switch {
	case cfg.LocalDC == "" && len(nodes) > 1:
		return fmt.Errorf("the cluster has several datacenters (%s): %w", there, ErrDatacenter)
	case cfg.LocalDC != "" && nodes[cfg.LocalDC] == 0:
		return fmt.Errorf("no node is in datacenter %s, but in %s: %w", cfg.LocalDC, there, ErrDatacenter)
	case cfg.LocalDC != "" && !everywhere && strings.Trim(replication[cfg.LocalDC], "0") == "":
		return fmt.Errorf("keyspace %s has no replica in datacenter %s: %w, or say ALTER KEYSPACE", cfg.Keyspace, cfg.LocalDC, ErrDatacenter)
	}
	return nil
}

// enough compares a keyspace's replication, as Cassandra tells it, with the number of nodes in each datacenter.
func enough(cfg Config, replication map[string]string, nodes map[string]int) error {
	local := replication[cfg.LocalDC] != "" && cfg.Consistency == "LOCAL_QUORUM"
	for _, datacenter := range slices.Sorted(maps.Keys(replication)) {
		factor, _, _ := strings.Cut(replication[datacenter], "/") // 3/1: one of them is transient
		replicas, err := strconv.Atoi(factor)
		if err != nil || local && datacenter != cfg.LocalDC {
			continue // its class, or whom no quorum of ours waits for
		}
		where, n := "datacenter "+datacenter, nodes[datacenter]
		if datacenter == "replication_factor" { // a class that knows no datacenters
			where, n = "the cluster", 0
			for _, some := range nodes {
				n += some
			}
		}
		if replicas > 0 && replicas/2+1 > n {
			return fmt.Errorf("keyspace %s: %w: %d replicas in %s, where there are %d nodes; add nodes, or say ALTER KEYSPACE with '%s': %d (or DOZAAR_CASSANDRA_REPLICATION=%d, where `dozaar migrate` is to make it)",
				cfg.Keyspace, ErrReplicas, replicas, where, n, datacenter, max(n, 1), max(n, 1))
		}
	}
	return nil
}

// members are the ids of all nodes of the cluster, up or down, and how many there are in each datacenter.
func members(ctx context.Context, session *gocql.Session) (ids []gocql.UUID, nodes map[string]int, err error) {
	// One request: the node that answers it knows the others, and two requests may be answered by two nodes, which
	// would each leave itself out.
	iter := session.Query("SELECT host_id, data_center FROM system.peers_v2").WithContext(ctx).Consistency(gocql.One).Iter()
	nodes = map[string]int{}
	var id gocql.UUID
	var datacenter string
	for iter.Scan(&id, &datacenter) {
		ids = append(ids, id)
		nodes[datacenter]++
	}
	if err := iter.Close(); err != nil {
		return nil, nil, err
	}
	if id, err = gocql.ParseUUID(iter.Host().HostID()); err != nil {
		return nil, nil, fmt.Errorf("the id of a node: %w", err)
	}
	nodes[iter.Host().DataCenter()]++
	return append(ids, id), nodes, nil
}
