package converse

import (
	"math/big"
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
	due   time.Time
	run   *run
	acked bool
	heard big.Int // a bit for each member
	left  int     // recipients
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
	switch {
	case p == nil || p.acked:
		t.client.fault(refused, "message %d of %s: acknowledged once too often, or never sent", n, t.id)
	case !ok:
		t.client.fault(refused, "message %d of %s", n, t.id)
		delete(t.sent, n) // nobody is to hear of it
		p.run.under.leave()
	default:
		p.acked = true
		p.run.acked.since(p.due)
		t.forget(n, p)
	}
}

// told notes that a member was told of a message, which must be what was sent, after those before it, and once.
func (t *talk) told(w word, e *ear) {
	t.mu.Lock()
	p, unsent := t.sent[w.n], w.n < 1 || w.n > t.n
	switch {
	case w.conversation != nil && string(w.conversation) != t.id, unsent, p != nil && !isText(w.text, w.n, p.run.order.text()):
		t.mu.Unlock()
		t.client.fault(altered, "%s: %q of %q", t.id, w.text, w.conversation)
		return
	case p == nil || p.heard.Bit(e.member) == 1:
		t.mu.Unlock()
		t.client.fault(duplicated, "message %d of %s", w.n, t.id)
		return
	case w.n < e.at.last || w.seq != 0 && w.seq != w.n:
		t.client.fault(reordered, "%s: message %d with seq %d came after %d", t.id, w.n, w.seq, e.at.last)
	}
	e.at.last = max(e.at.last, w.n)
	p.heard.SetBit(&p.heard, e.member, 1)
	if e.member > 0 {
		p.left--
	}
	complete := e.member > 0 && p.left == 0
	if complete {
		p.run.heard.since(p.due)
		p.run.last.Store(int64(time.Since(p.run.start)))
	}
	t.forget(w.n, p)
	r := p.run
	t.mu.Unlock()
	if complete && r.order.PerSecond == 0 && !r.stopping.Load() {
		if err := t.say(r, time.Now()); err != nil {
			t.client.fault(refused, "send: %v", err)
		}
	}
}

// forget drops a message of which nothing more is to come: the sender has heard it, too. t.mu is held.
func (t *talk) forget(n int64, p *pending) {
	if p.acked && p.left == 0 && p.heard.Bit(0) == 1 {
		delete(t.sent, n)
		p.run.under.leave()
	}
}
