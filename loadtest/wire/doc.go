// Package wire is the cheapest client of a Socket.IO server that a load generator can have: frames and
// packets by hand, one buffer a connection, no reflection. It speaks no more of the protocols than it must, and
// knows nothing of what is said with them.
package wire
