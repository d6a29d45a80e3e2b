package cassandra

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestVerbAndTable(t *testing.T) {
	for statement, want := range map[string]string{
		putMessage:   "insert messages",
		putMessageID: "insert message_ids",
		"SELECT conversation_id, seq\n\t\tFROM message_ids WHERE id = ?":       "select message_ids",
		"UPDATE heads USING TIMESTAMP ? SET seq = ? WHERE conversation_id = ?": "update heads",
		"DELETE FROM members WHERE user_id = ?":                                "delete members",
		"INSERT INTO topics(name) VALUES (?)":                                  "insert topics",
		"CREATE TABLE x (y int PRIMARY KEY)":                                   "other",
		"":                                                                     "other",
	} {
		if got := verbAndTable(statement); got != want {
			t.Errorf("%q: %q, want %q", statement, got, want)
		}
	}
}

func TestObserver(t *testing.T) {
	reg := prometheus.NewRegistry()
	newObserver(reg, nil)
	o := newObserver(reg, nil) // each session has one; they share what they count
	start := time.Now()
	o.ObserveQuery(context.Background(), gocql.ObservedQuery{Statement: putMessage, Start: start, End: start.Add(time.Millisecond)})
	o.ObserveQuery(context.Background(), gocql.ObservedQuery{Statement: putMessage, Start: start, End: start, Err: errors.New("timeout")})
	o.ObserveBatch(context.Background(), gocql.ObservedBatch{Statements: []string{putMessage, putMessage}, Start: start, End: start})
	o.ObserveConnect(gocql.ObservedConnect{Err: errors.New("refused")})
	if got := testutil.CollectAndCount(o.seconds); got != 3 {
		t.Errorf("%d series of requests", got)
	}
	if got := testutil.ToFloat64(o.connects.WithLabelValues("error")); got != 1 {
		t.Errorf("%v connects failed", got)
	}
}
