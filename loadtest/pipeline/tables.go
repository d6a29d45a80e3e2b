package main

import (
	"net"
	"strconv"
	"time"

	"github.com/gocql/gocql"
)

// tables counts what Cassandra itself has done to each table.
type tables struct {
	session  *gocql.Session
	keyspace string
}

func openTables(addresses []string, keyspace string) (*tables, error) {
	_, port, err := net.SplitHostPort(addresses[0])
	if err != nil {
		return nil, err
	}
	cluster := gocql.NewCluster(addresses...)
	cluster.ProtoVersion, cluster.Timeout, cluster.ConnectTimeout = 4, 6*time.Second, 5*time.Second
	if cluster.Port, err = strconv.Atoi(port); err != nil {
		return nil, err
	}
	session, err := cluster.CreateSession()
	return &tables{session, keyspace}, err
}

// counts are writes and reads by table, since the node started. A batch of one partition is one write.
func (t *tables) counts() (map[string]float64, error) {
	found := map[string]float64{}
	for _, kind := range []string{"write", "read"} {
		rows := t.session.Query(`SELECT table_name, keyspace_name, count FROM system_views.local_` + kind + `_latency`).Iter()
		var table, keyspace string
		var count int64
		for rows.Scan(&table, &keyspace, &count) {
			if keyspace == t.keyspace {
				found[kind+" "+table] = float64(count)
			}
		}
		if err := rows.Close(); err != nil {
			return nil, err
		}
	}
	return found, nil
}
