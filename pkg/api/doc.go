// Package api is the HTTP API under /v1, as schemas/openapi.yaml describes it; a test holds one to
// the other. A marketplace's backend makes conversations, changes members and writes as itself with
// a token of scope `service`; a user's client lists its conversations and reads history and presence.
//
// A request goes through: the guard (deadline, panics, metrics, the log) → its route → the token →
// its handler, which answers with a body or with an error of the vocabulary. Errors become problems
// (RFC 9457) in one place, problem.go, by one table.
//
// It promises that nothing is done without a token in the Authorization header, that "not yours" and
// "not there" answer alike, that no token, query or body reaches a log, that what a request costs is
// bounded (bytes, nesting, time, how often one user asks), and that whatever tells of success is on
// Kafka by then. It does not terminate TLS.
//
// Origins is separate, because the sockets need the same rule: wrap each of /v1/ and /socket.io/ in it.
package api
