// Package schemas is what others may rely on: the Avro schemas of the events in Kafka, the topics they
// are in, and the Go made from both.
//
// A value in Kafka is Avro binary in Confluent framing: a zero byte, the schema's id in the registry as
// four bytes, big-endian, then the body. The subject of a schema is its topic's name and "-value". A
// [Codec] turns values into the vocabulary's types and back. It asks the registry for its own schemas'
// ids once, when it is made, so that encoding never waits for it; decoding asks only about ids that it
// has not seen, which another version of this program registered.
//
// A record's headers are CloudEvents 1.0's (ce_id, ce_type, ce_source, ce_time, ce_specversion, content-type) and, where
// whoever asked for the event sent a W3C trace context, its traceparent.
//
// Versions are immutable: a change is a new file beside the old one, and has to be compatible both ways
// with every earlier version (FULL_TRANSITIVE, [Evolution]); the tests and `dozaar schemas apply` refuse one that is not. The package does no network I/O itself: what it needs of
// a registry is the interface [Registry], and schemas/registry has the client.
package schemas
