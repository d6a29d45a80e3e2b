package gateway

import (
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/relay"
)

// presence is the contract's `user:online` and `user:offline`.
type presence struct {
	UserID    chat.ID `json:"userId"`
	Timestamp int64   `json:"timestamp"` // Unix milliseconds
}

// receivePresence tells those concerned, and who has asked, each socket once. A change that is not newer than the last one told is dropped.
func (g *Gateway) receivePresence(e *relay.Presence) {
	c := e.Change
	if !g.shown.rises(c, e.To) {
		return
	}
	name := "user:offline"
	if c.Online {
		name = "user:online"
	}
	packet := encode(name, presence{c.UserID, c.At.UnixMilli()})
	told := map[*session]bool{}
	tell := func(sessions []*session) {
		for _, s := range sessions {
			if !told[s] && s.user.ID != c.UserID {
				told[s] = true
				s.conn.Send(packet)
			}
		}
	}
	for _, user := range e.To {
		tell(g.sessions.of(user))
	}
	if e.Asked {
		tell(g.asking.about(c.UserID, time.Now()))
	}
}
