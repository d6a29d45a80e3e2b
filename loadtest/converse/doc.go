// Package converse is a client that has many conversations at once as cheaply as can be, and that checks each delivery. It is a process of
// its own (bench.Child) that is told whom to connect to, what to send at which rate, and answers with rates and latencies.
//
// It speaks the contract over Socket.IO, the same frames over a bare websocket, or Centrifuge's protocol: a dialect each.
package converse
