// Package client is a chat client for load: it speaks Engine.IO and Socket.IO over websocket as the official
// client does, comes back as that does, and writes down what it did and saw (loadtest/history).
//
// A Device is one installation of an app. It keeps a cursor for each conversation it is in, joins with
// `afterSeq` after each connection, reads what was not replayed from the history, and repeats what was not
// answered under the same clientMessageId until it is. It costs two goroutines and some ten kilobytes.
//
//	device.go     Device: what it wants, what it has; what others may ask of it
//	run.go        Run: connect, serve, come back
//	socket.go       one connection: frames, Engine.IO, the namespace
//	work.go         what is to be sent now
//	answers.go      what acknowledgements mean
//	events.go       what the server says by itself
//	pages.go        what a join did not replay, over HTTP
//	backoff.go    when to come back
//	payload.go    the payloads of both directions
//
// One mutex guards a Device; what it writes down is written under it, so that its events are in order. Only
// plain http is spoken.
package client
