// Package kafka is the log: it publishes the vocabulary's events, hands records to workers, one per
// partition, and makes and checks the topics. Nothing else in this program imports the client library.
//
// What it promises:
//
//   - A publish that returns nil is on all in-sync replicas. One that cannot be confirmed in bounded time
//     returns chat.ErrUnavailable (wrapped): the record may or may not be in the log, so the caller's
//     client retries with the same id, and readers drop the second one.
//   - Records with one key are in one partition, in the order in which they were published.
//   - A consumer commits the lowest offset that its worker has not done, in whatever order it does them. A
//     record is handed out at least once. A committed offset that the log no longer has (or never had) stops the
//     consumer with an error that says what to do; it is never reset.
//   - When a partition is taken away, its worker is stopped, waited for, and what it has done committed,
//     before another process may get it. A slow partition does not hold up another one.
//
// What it does not: exactly-once (no Kafka transactions), and any order between keys.
//
// A message's way out is producer.go → headers.go; in it is consumer.go (polls and hands off) → assignment.go
// (one partition's queue and worker.go) → progress.go (what is done) → commit.go; bounds.go refuses offsets out of the log.
package kafka
