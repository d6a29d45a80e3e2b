package gateway

import (
	"context"
	"encoding/json"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/strictjson"
)

// Replay's bounds: how many messages a join replays, and how many are read and sent at a time.
const (
	maxReplay     = 1_000
	replayPage    = 100
	replayPending = 64 << 10 // bytes that may wait for the socket before the next message is sent
)

// joined answers `join:conversation`, as `joined:conversation` and as the acknowledgement.
type joined struct {
	OK             bool    `json:"ok,omitempty"` // in the acknowledgement only
	ConversationID chat.ID `json:"conversationId"`
	LastSeq        int64   `json:"lastSeq"`
	ReadSeq        int64   `json:"readSeq"`
	// Recovered: everything after afterSeq follows this event. It is false where there was too much
	// (Missed tells how much; page it from the history) or afterSeq is not of this history.
	Recovered bool  `json:"recovered"`
	Missed    int64 `json:"missed"`
	// ReadSeqs is how far each member has read, in conversations of at most maxReadSeqs members.
	ReadSeqs map[chat.ID]int64 `json:"readSeqs,omitempty"`
}

// maxReadSeqs is in how small a conversation a joining socket is told everybody's read mark.
const maxReadSeqs = 10

// join puts the socket into a conversation's room: `joined:conversation` first, then what it missed
// from the store, then live, with nothing between and nothing twice.
func (g *Gateway) join(ctx context.Context, s *session, payload json.RawMessage) (any, error) {
	var in struct {
		ConversationID strictjson.ID `json:"conversationId"`
		AfterSeq       *int64        `json:"afterSeq"`
	}
	if err := strictjson.Object(payload, &in, "payload"); err != nil {
		return nil, err
	}
	if err := in.ConversationID.Required("conversationId"); err != nil {
		return nil, err
	}
	if in.AfterSeq != nil && *in.AfterSeq < 0 {
		return nil, chat.Invalid("afterSeq", "must be 0 or more")
	}
	var r *room
	var out joined
	var cursor int64
	var page []chat.Message
	err := g.inTurn(ctx, func() error {
		c, err := g.asMember(ctx, in.ConversationID.ID, s.user.ID)
		if err != nil {
			return err
		}
		if r, err = g.openRoom(ctx, c, s); err != nil {
			return err
		}
		if out, cursor, err = g.enter(ctx, s, r, c.Members, in.AfterSeq); err != nil {
			return err
		}
		if cursor < r.lastSeq() {
			page, err = g.missed(ctx, r, cursor)
		}
		return err
	})
	if err == nil {
		err = g.replay(ctx, s, r, cursor, page)
	}
	if err != nil && r != nil {
		g.exit(s, r)
	}
	if in.AfterSeq != nil {
		g.metrics.caughtUp(ctx, *in.AfterSeq, out, err)
	}
	if err != nil {
		return nil, err
	}
	out.OK = true
	return out, nil
}

// enter tells the socket that it joined, and returns from where to bring it up to the room.
func (g *Gateway) enter(ctx context.Context, s *session, r *room, members []chat.Member, afterSeq *int64) (out joined, cursor int64, err error) {
	readSeqs, err := g.readSeqs(ctx, r.id, s.user.ID, members)
	if err != nil {
		return joined{}, 0, err
	}
	last, err := g.lastFor(ctx, r, afterSeq)
	if err != nil {
		return joined{}, 0, err
	}
	out = joined{ConversationID: r.id, ReadSeq: readSeqs[s.user.ID]}
	if len(members) <= maxReadSeqs {
		out.ReadSeqs = readSeqs
	}
	out.LastSeq, cursor, out.Recovered = r.seek(s, last, afterSeq)
	if afterSeq != nil {
		out.Missed = max(0, out.LastSeq-*afterSeq)
	}
	s.emit("joined:conversation", out)
	return out, cursor, nil
}

// readSeqs reads the user's own mark and, in a small conversation, everybody's.
func (g *Gateway) readSeqs(ctx context.Context, conversation, user chat.ID, members []chat.Member) (map[chat.ID]int64, error) {
	users := []chat.ID{user}
	if len(members) <= maxReadSeqs {
		users = users[:0]
		for _, m := range members {
			users = append(users, m.UserID)
		}
	}
	began := time.Now()
	seqs, err := g.Store.ReadSeqs(ctx, conversation, users)
	g.turns.answered(time.Since(began), err)
	return seqs, err
}

// lastFor is the conversation's last seq as this socket may know it. A client that comes from another
// gateway can be ahead of this room, so a cursor beyond the room asks the store.
func (g *Gateway) lastFor(ctx context.Context, r *room, afterSeq *int64) (int64, error) {
	last := r.lastSeq()
	if afterSeq == nil || *afterSeq <= last {
		return last, nil
	}
	heads, err := g.Store.Heads(ctx, []chat.ID{r.id})
	if err != nil {
		return 0, err
	}
	return max(last, heads[r.id].Seq), nil
}

// missed reads a page of what the socket is to be sent next.
func (g *Gateway) missed(ctx context.Context, r *room, cursor int64) ([]chat.Message, error) {
	page, err := g.Store.Messages(ctx, r.id, cursor, replayPage)
	if err == nil && len(page) == 0 {
		err = chat.ErrUnavailable // the room is ahead of this read of the store; the client tries again
	}
	return page, err
}

// replay sends what lies between the socket's cursor and the room's last, page by page at the
// socket's own pace, until the socket has caught up and is live. The first page may have been read.
func (g *Gateway) replay(ctx context.Context, s *session, r *room, cursor int64, page []chat.Message) error {
	for ; ; page = nil {
		if live, err := r.goLive(s, cursor); live || err != nil {
			return err
		}
		if page == nil {
			if err := g.inTurn(ctx, func() (err error) {
				// The pages before may have taken long, and what was stored since may be none of the user's business.
				if err = g.checkMember(ctx, r, s.user.ID); err == nil {
					page, err = g.missed(ctx, r, cursor)
				}
				return err
			}); err != nil {
				return err
			}
		}
		for _, m := range page {
			if m.Seq != cursor+1 {
				return chat.ErrInternal
			}
			// Before each: a page of the largest messages is more than a socket's buffer holds.
			if err := s.conn.Drain(ctx, replayPending); err != nil {
				return err
			}
			if err := r.show(s, m); err != nil {
				return err
			}
			cursor = m.Seq
		}
		g.metrics.replayed.Add(float64(len(page)))
	}
}

// leave takes the socket out of the room.
func (g *Gateway) leave(_ context.Context, s *session, payload json.RawMessage) (any, error) {
	conversation, err := decodeConversation(payload)
	if err != nil {
		return nil, err
	}
	r, err := s.room(conversation)
	if err != nil {
		return done, nil // it is where it wanted to be
	}
	g.tellTyping(r, s, false)
	g.exit(s, r)
	return done, nil
}

// exit ends the socket's stay in the room.
func (g *Gateway) exit(s *session, r *room) {
	s.mu.Lock()
	delete(s.joined, r.id)
	s.mu.Unlock()
	r.detach(s)
}
