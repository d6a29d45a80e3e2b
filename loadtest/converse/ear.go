package converse

import (
	"fmt"
	"sync/atomic"

	"github.com/dozaar/dozaar/loadtest/wire"
)

// ear is what one connection has heard; only its reader uses it.
type ear struct {
	talk         *talk
	conn         *wire.Conn
	conversation int // which of the client's
	member       int
	slow         bool        // it reads less than comes, so nobody waits for what it hears
	joined       chan error  // takes one
	at           position    // its last is unknown where a server does not tell what was missed
	ended        atomic.Bool // by the client
}

// unknown is a last message of which nobody can say what follows it.
const unknown = -1

// end closes the connection.
func (e *ear) end() {
	e.ended.Store(true)
	_ = e.conn.Close()
}

// frame takes what came: messages must come in the order of their numbers, each once, and none left out.
func (e *ear) frame(frame []byte) error {
	c := e.talk.client
	c.dialect.hear(frame, func(w word) {
		switch w.kind {
		case joined:
			e.at.epoch = w.epoch
			var err error
			if !w.ok {
				err = fmt.Errorf("not joined: %s", frame)
			}
			select {
			case e.joined <- err:
			default:
			}
		case acknowledged:
			if w.n == 1 {
				c.keep(func(s *Samples) { s.Ack = string(frame) })
			}
			e.talk.acknowledged(w.n, w.ok)
		case message:
			if e.member == 0 && w.n == 1 {
				c.keep(func(s *Samples) { s.Message = string(frame) })
			}
			e.hear(w)
		case pinged:
			e.conn.Queue("{}")
		case wrong:
			c.fault(refused, "%s", frame)
		}
	})
	return nil
}

func (e *ear) hear(w word) {
	if e.slow {
		return
	}
	if w.n == e.at.last {
		e.talk.client.fault(duplicated, "%s: message %d came twice", e.talk.id, w.n)
		return
	}
	// What is left out comes late, or is missed in the end.
	if w.n < e.at.last || w.seq != 0 && w.seq != w.n {
		e.talk.client.fault(reordered, "%s: message %d with seq %d came after %d", e.talk.id, w.n, w.seq, e.at.last)
	}
	e.at.last = max(e.at.last, w.n)
	e.talk.heard(w, e.member == 0)
}
