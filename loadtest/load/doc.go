// Package load drives a chat with many clients, at a rate that does not wait for it, writes down what they
// did and saw, and has that judged (loadtest/history).
//
//	plan.go      Plan: how much of what
//	run.go       Run: make the world, load, settle, read back, check
//	world.go       conversations, users, devices
//	arrivals.go    what happens when: messages, and the rest that people do
//	guests.go      members who come and go
//	settle.go      waiting until everything is at rest
//	readback.go    the whole history and every inbox
//	latency.go   how long it took, from the history
//	api.go       the HTTP API, and tokens
package load
