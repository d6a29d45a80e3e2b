package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/relay"
)

// membersMaxAge is how old the members may be on which a send is allowed: a removal takes effect
// within this time even where its word was lost.
const membersMaxAge = 5 * time.Second

// setMembers takes the members as just read and puts out who is no longer one. r.mu is held.
func (r *room) setMembers(c chat.Conversation) {
	if c.Revision < r.revision {
		return
	}
	r.revision = c.Revision
	r.membersAt = time.Now()
	r.members = make(map[chat.ID]bool, len(c.Members))
	for _, m := range c.Members {
		r.members[m.UserID] = true
	}
	for s := range r.sockets {
		if !r.members[s.user.ID] {
			r.evict(s)
		}
	}
	for user := range r.typing {
		if !r.members[user] {
			r.stopped(user)
		}
	}
}

// told takes out who was removed by a change that the room has not read yet, and perhaps cannot read.
func (r *room) told(m *relay.Members) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.Revision <= r.revision || m.Removed == (chat.ID{}) {
		return
	}
	delete(r.members, m.Removed)
	r.stopped(m.Removed)
	for s := range r.sockets {
		if s.user.ID == m.Removed {
			r.evict(s)
		}
	}
}

// evict puts a removed member's socket out of the room and says so. r.mu is held.
func (r *room) evict(s *session) {
	delete(r.sockets, s)
	if len(r.sockets) == 0 {
		r.idle = time.Now()
	}
	s.mu.Lock()
	delete(s.joined, r.id)
	s.mu.Unlock()
	s.emit("exception", exception{
		Event: "join:conversation", Error: "you are no longer a member of this conversation",
		Code: chat.CodeNotFound, ConversationID: r.id,
	})
}

// checkMember allows what only a member may do, reading the members again if they are old.
func (g *Gateway) checkMember(ctx context.Context, r *room, user chat.ID) error {
	r.mu.Lock()
	young := time.Since(r.membersAt) < membersMaxAge && r.fresh == r.stale
	member := r.members[user]
	r.mu.Unlock()
	if !young {
		c, err := g.conversation(ctx, r.id)
		switch {
		case errors.Is(err, chat.ErrUnavailable):
			// Sends go on while the store is away. Nobody can be removed meanwhile: that is written there. Where it is away
			// for this gateway alone, the relay brings the word (told).
		case err != nil:
			return err
		default:
			r.mu.Lock()
			r.setMembers(c)
			member = r.members[user]
			r.mu.Unlock()
		}
	}
	if !member {
		return chat.ErrNotFound
	}
	return nil
}

func (g *Gateway) conversation(ctx context.Context, id chat.ID) (chat.Conversation, error) {
	return ask(ctx, g, func(ctx context.Context) (chat.Conversation, error) { return g.Store.Conversation(ctx, id) })
}

func (g *Gateway) storedByID(ctx context.Context, message chat.ID) (row chat.StoredID, found bool, err error) {
	rows, err := ask(ctx, g, func(ctx context.Context) (map[chat.ID]chat.StoredID, error) {
		return g.Store.StoredByID(ctx, []chat.ID{message})
	})
	row, found = rows[message]
	return row, found, err
}
