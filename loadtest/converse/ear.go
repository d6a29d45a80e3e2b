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
			if !e.slow {
				e.talk.told(w, e)
			}
		case pinged:
			e.conn.Queue("{}")
		case wrong:
			c.fault(refused, "%s", frame)
		}
	})
	return nil
}
