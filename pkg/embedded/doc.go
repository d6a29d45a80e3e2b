// Package embedded is the engines of `dozaar all`, in this process: Kafka, the schema registry and Redis.
// They speak the real protocols on the loopback, so that every role uses the same client code as with
// real ones.
//
// What they promise: Kafka keeps what it acknowledged, and what was committed, over a SIGKILL (each batch
// is synced to disk), within a bounded size; the registry gives the same ids for ever; Redis keeps nothing,
// as the design expects of it. What they do not: replication, access control, or the speed of the real
// ones. They are for development and for small installations on one machine.
package embedded
