package gateway

import (
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/relay"
)

// presence is the contract's `user:online` and `user:offline`.
type presence struct {
	UserID    chat.ID `json:"userId"`
	Timestamp int64   `json:"timestamp"` // Unix milliseconds
}

// receivePresence tells those concerned. A change that is not newer than the last one told is dropped.
func (g *Gateway) receivePresence(e *relay.Presence) {
	c := e.Change
	if !g.versions.newer(c.UserID, c.Version) {
		return
	}
	name := "user:offline"
	if c.Online {
		name = "user:online"
	}
	packet := encode(name, presence{c.UserID, c.At.UnixMilli()})
	for _, user := range e.To {
		for _, s := range g.sessions.of(user) {
			s.conn.Send(packet)
		}
	}
}

// versionedUsers bounds what is remembered to tell an old change of presence.
const versionedUsers = 200_000

// versions remembers the last change of presence that was told of each user.
type versions struct {
	mu   sync.Mutex // makes look and add one step
	last *lru.Cache[chat.ID, int64]
}

func (v *versions) init() { v.last, _ = lru.New[chat.ID, int64](versionedUsers) }

func (v *versions) newer(user chat.ID, version int64) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if last, ok := v.last.Get(user); ok && version <= last {
		return false
	}
	v.last.Add(user, version)
	return true
}
