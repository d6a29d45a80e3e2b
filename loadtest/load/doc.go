// Package load drives a chat with many clients, at a rate that does not wait for it, writes down what they
// did and saw, and has that judged (loadtest/history).
//
//	plan.go      Plan: how much of what; the flags of it
//	target.go    Target: the chat that is driven, and what else it may be able to do
//	dozaar.go      Dozaar as one: its HTTP API, and tokens
//	run.go       Run: make the world, load, settle, read back, check
//	world.go       conversations, users, devices
//	arrivals.go    what happens when: messages, and the rest that people do
//	guests.go      members who come and go
//	storms.go      connections that are lost all at once, and gateways that are started again
//	settle.go      waiting until everything is at rest
//	readback.go    the whole history and every inbox
//	watch.go     every second: rates, latencies, what processes use
//	progress.go    the same for people, meanwhile
//	meter.go     how long messages took, from the events
//	latency.go     as quantiles
package load
