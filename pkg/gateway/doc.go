// Package gateway is a socket's life: who may connect, what each client event does, and how what
// others did reaches the socket. docs/DESIGN.md follows one message through it, file by file.
//
// It promises: identity comes from the token alone; a message is acknowledged only after Kafka has
// it; what a socket is shown is stored, in the order of seq, each once and without a gap; nothing
// is delivered to who is no member, at most five seconds after the change. It does not number,
// store or decide presence: that is streams/deliver and pkg/presence.
//
// Locks, in the order in which they may be taken: rooms.mu, room.mu, sessions.mu, session.mu. None is
// held during I/O; a socket's Send and Emit never block.
package gateway
