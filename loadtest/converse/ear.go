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
	joined       chan error // takes one
	last         int64
	ended        atomic.Bool // by the client
}

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
	if w.n != e.last+1 || w.seq != 0 && w.seq != w.n {
		kind := reordered
		if w.n == e.last {
			kind = duplicated
		}
		e.talk.client.fault(kind, "%s: message %d with seq %d came after %d", e.talk.id, w.n, w.seq, e.last)
	}
	e.last = max(e.last, w.n)
	if e.member > 0 {
		e.talk.delivered(w.n)
	}
}
