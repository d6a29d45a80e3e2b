package main

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dozaar/dozaar/loadtest/wire"
)

// textBytes is how long each message's text is. It begins with its number.
const textBytes = 100

const numberDigits = 8

func textOf(n int64) string {
	return fmt.Sprintf("%0*d ", numberDigits, n) + strings.Repeat("how much is it? ", textBytes/16+1)[:textBytes-numberDigits-1]
}

// talk is a conversation as its sender and its recipients know it.
type talk struct {
	load   *load
	id     string
	sender *wire.Conn

	mu   sync.Mutex // guards what follows
	n    int64      // of the last message
	sent map[int64]*pending
}

// pending is a message that somebody is still to hear of.
type pending struct {
	due   time.Time
	run   *run
	acked bool
	left  int // recipients
}

const recipients = 2

// say sends the next message of a conversation. They are sent in the order of their numbers.
func (t *talk) say(r *run, due time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
	t.sent[t.n] = &pending{due: due, run: r, left: recipients}
	r.under.enter()
	r.count.Add(1)
	payload := `42/chat,` + strconv.FormatInt(t.n, 10) + `["send:message",{"conversationId":"` + t.id + `","message":"` + textOf(t.n) + `"}]`
	if t.n == 1 {
		t.load.mu.Lock()
		t.load.sample.Sent = payload
		t.load.mu.Unlock()
	}
	t.sender.Queue(payload)
	return t.sender.Send()
}

func (t *talk) acknowledged(n int64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.sent[n]
	if p == nil || p.acked || !ok {
		t.load.fault("message %d of %s: acknowledged with %v, expected: %v", n, t.id, ok, p != nil && !p.acked)
		return
	}
	p.acked = true
	p.run.acked.since(p.due)
	t.forget(n, p)
}

func (t *talk) delivered(n int64) {
	t.mu.Lock()
	p := t.sent[n]
	if p == nil || p.left == 0 {
		t.mu.Unlock()
		t.load.fault("message %d of %s came once too often, or was never sent", n, t.id)
		return
	}
	p.left--
	complete := p.left == 0
	if complete {
		p.run.heard.since(p.due)
		p.run.last.Store(int64(time.Since(p.run.start)))
		t.forget(n, p)
	}
	r := p.run
	t.mu.Unlock()
	if complete && r.order.PerSecond == 0 && !r.stopping.Load() {
		if err := t.say(r, time.Now()); err != nil {
			t.load.fault("send: %v", err)
		}
	}
}

// forget drops a message of which nothing more is to come. t.mu is held.
func (t *talk) forget(n int64, p *pending) {
	if p.acked && p.left == 0 {
		delete(t.sent, n)
		p.run.under.leave()
	}
}
