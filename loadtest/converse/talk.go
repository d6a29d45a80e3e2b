package converse

import (
	"sync"
	"time"

	"github.com/dozaar/dozaar/loadtest/wire"
)

// talk is a conversation as its sender and its recipients know it.
type talk struct {
	client     *client
	id         string
	recipients int
	sender     *wire.Conn

	mu   sync.Mutex // guards what follows
	n    int64      // of the last message
	sent map[int64]*pending
}

// pending is a message that somebody is still to hear of.
type pending struct {
	due    time.Time
	run    *run
	acked  bool
	echoed bool // its sender has heard it, too
	left   int  // recipients
}

// say sends the next message of a conversation. They are sent in the order of their numbers.
func (t *talk) say(r *run, due time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
	t.sent[t.n] = &pending{due: due, run: r, left: t.recipients}
	r.under.enter()
	r.count.Add(1)
	frame := t.client.dialect.say(t.id, t.n, r.order.text())
	if t.n == 1 {
		t.client.keep(func(s *Samples) { s.Sent = frame })
	}
	t.sender.Queue(frame)
	return t.sender.Send()
}

func (t *talk) acknowledged(n int64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.sent[n]
	if p == nil || p.acked || !ok {
		t.client.fault(refused, "message %d of %s: acknowledged with %v, expected: %v", n, t.id, ok, p != nil && !p.acked)
		return
	}
	p.acked = true
	p.run.acked.since(p.due)
	t.forget(n, p)
}

// heard notes that somebody was told of a message: its sender or a recipient.
func (t *talk) heard(w word, sender bool) {
	t.mu.Lock()
	p := t.sent[w.n]
	if p == nil || !sender && p.left == 0 || sender && p.echoed {
		t.mu.Unlock()
		t.client.fault(duplicated, "message %d of %s came once too often, or was never sent", w.n, t.id)
		return
	}
	if !isText(w.text, w.n, p.run.order.text()) || w.conversation != nil && string(w.conversation) != t.id {
		t.client.fault(altered, "message %d of %s came as %q of %q", w.n, t.id, w.text, w.conversation)
	}
	if sender {
		p.echoed = true
		t.forget(w.n, p)
		t.mu.Unlock()
		return
	}
	p.left--
	complete := p.left == 0
	if complete {
		p.run.heard.since(p.due)
		p.run.last.Store(int64(time.Since(p.run.start)))
		t.forget(w.n, p)
	}
	r := p.run
	t.mu.Unlock()
	if complete && r.order.PerSecond == 0 && !r.stopping.Load() {
		if err := t.say(r, time.Now()); err != nil {
			t.client.fault(refused, "send: %v", err)
		}
	}
}

// forget drops a message of which nothing more is to come. t.mu is held.
func (t *talk) forget(n int64, p *pending) {
	if p.acked && p.echoed && p.left == 0 {
		delete(t.sent, n)
		p.run.under.leave()
	}
}
