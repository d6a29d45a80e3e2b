// Package sqlite keeps conversations, messages and marks in one SQLite file: the store of a process that
// runs every role by itself.
//
// What it promises is in storetest.Store, and the suite there holds it to that. A write that returned nil is
// on the disk: the file is in WAL mode with synchronous=FULL, so every commit waits for its fsync and neither
// SIGKILL nor a power cut takes it back. That matters beyond this package: deliver commits its offset in
// Kafka after the store said yes, and the log must never be ahead of the store. Each write is done wholly or not
// at all, on the one writing connection; those that wait there at the same moment share a transaction, and so
// the wait for the disk (gather.go). Reads run beside it on connections of their own, each call on one snapshot.
//
// It does not promise to scale. Writers wait for each other, an inbox is sorted when it is read, and the file
// belongs to one process (others may look into it).
package sqlite
