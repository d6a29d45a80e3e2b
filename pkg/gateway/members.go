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

// membership is a conversation with its members as they were read.
type membership struct {
	chat.Conversation
	at time.Time // when reading began
}

// setMembers takes the members as they were read and puts out who is no longer one. r.mu is held.
func (r *room) setMembers(c membership) {
	if c.Revision < r.known.Revision || c.Revision == r.known.Revision && !c.at.After(r.known.at) {
		return
	}
	r.known = c
	r.members = make(map[chat.ID]bool, len(c.Members))
	for _, m := range c.Members {
		r.members[m.UserID] = true
	}
	r.putOut()
	for user := range r.typing {
		if !r.members[user] {
			r.stopped(user)
		}
	}
}

// told takes out who was removed by a change that the room has not read yet. The word may be old, and who was removed a member again.
// So they have no say from now on, and are put out by the fill: it reads the members, or cannot.
func (r *room) told(m *relay.Members) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.Revision <= r.known.Revision || m.Removed == (chat.ID{}) {
		return
	}
	delete(r.members, m.Removed)
	r.stopped(m.Removed)
}

// putOut evicts who is no member. r.mu is held.
func (r *room) putOut() {
	for s := range r.sockets {
		if !r.members[s.user.ID] {
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
	young, member, known := r.young(), r.members[user], r.known.at
	r.mu.Unlock()
	if !young {
		c, err := ask(ctx, g, func(ctx context.Context) (membership, error) { return g.readMembers(ctx, r.id) })
		switch {
		case errors.Is(err, chat.ErrUnavailable):
			// Sends go on while the store is away. Nobody can be removed meanwhile: that is written there. Where it is away
			// for this gateway alone, the relay brings the word (told), unless that is away, too.
			if time.Since(g.heard.holds(known)) >= membersMaxAge {
				return err
			}
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

// young tells whether what is known of the members will do. r.mu is held.
func (r *room) young() bool {
	return r.open && time.Since(r.known.at) < membersMaxAge && r.fresh == r.stale
}

// asMember is a conversation, for one of its members. The room knows most of those who come: where thousands come into one,
// each would else read thousands of members. Whom it does not know, or not lately, is looked for in the store.
func (g *Gateway) asMember(ctx context.Context, conversation, user chat.ID) (membership, error) {
	if r := g.rooms.get(conversation); r != nil {
		r.mu.Lock()
		known, sure := r.known, r.young() && r.members[user]
		r.mu.Unlock()
		if sure {
			return known, nil
		}
	}
	c, err := g.readMembers(ctx, conversation)
	if err != nil {
		return membership{}, err
	}
	if _, member := c.Member(user); !member {
		return membership{}, chat.ErrNotFound
	}
	return c, nil
}

func (g *Gateway) readMembers(ctx context.Context, conversation chat.ID) (membership, error) {
	at := time.Now()
	c, err := g.Store.Conversation(ctx, conversation)
	return membership{c, at}, err
}

func (g *Gateway) storedByID(ctx context.Context, message chat.ID) (row chat.StoredID, found bool, err error) {
	rows, err := ask(ctx, g, func(ctx context.Context) (map[chat.ID]chat.StoredID, error) {
		return g.Store.StoredByID(ctx, []chat.ID{message})
	})
	row, found = rows[message]
	return row, found, err
}
