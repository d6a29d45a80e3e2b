// Package cassandra holds the tables of Dozaar's Cassandra keyspace, as numbered files of CQL.
//
// A file that was released is never edited; a change is a new file with the next number. Statements end with
// a semicolon at the end of a line and may be run again, because whoever runs them may die in between.
// Table names are bare: the keyspace is the session's. Who applies the files is pkg/store/cassandra.
package cassandra

import "embed"

// Files are 0001_what.cql and so on.
//
//go:embed *.cql
var Files embed.FS
