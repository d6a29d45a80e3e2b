package gateway

import (
	"context"
	"encoding/json"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/relay"
	"github.com/dozaar/dozaar/pkg/strictjson"
)

// marked acknowledges `mark:read`.
type marked struct {
	OK             bool    `json:"ok"`
	MessageID      chat.ID `json:"messageId"`
	ConversationID chat.ID `json:"conversationId"`
	Seq            int64   `json:"seq"`
}

// read is the contract's `message:read`.
type read struct {
	MessageID      chat.ID `json:"messageId"`
	ConversationID chat.ID `json:"conversationId"`
	Seq            int64   `json:"seq"`
	ReadBy         chat.ID `json:"readBy"`
	Timestamp      int64   `json:"timestamp"` // Unix milliseconds
}

// markRead publishes that the user has read up to a message. Sending moves the sender's own mark, so
// marking one's own message changes nothing and tells nobody.
func (g *Gateway) markRead(ctx context.Context, s *session, payload json.RawMessage) (any, error) {
	var in struct {
		MessageID strictjson.ID `json:"messageId"`
	}
	if err := strictjson.Object(payload, &in, "payload"); err != nil {
		return nil, err
	}
	if err := in.MessageID.Required("messageId"); err != nil {
		return nil, err
	}
	m, found, err := g.storedByID(ctx, in.MessageID.ID)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, chat.ErrNotFound
	}
	if err := g.checkMembership(ctx, s, m.ConversationID); err != nil {
		return nil, err
	}
	out := marked{true, in.MessageID.ID, m.ConversationID, m.Seq}
	if m.SenderID == s.user.ID {
		return out, nil
	}
	s.rememberMark(in.MessageID.ID)
	err = g.Publisher.PublishReceipt(ctx, chat.Receipt{
		ReadMark:  chat.ReadMark{ConversationID: m.ConversationID, UserID: s.user.ID, Seq: m.Seq},
		MessageID: in.MessageID.ID, SenderID: m.SenderID, At: time.Now().UTC().Truncate(time.Millisecond),
	})
	if err != nil {
		s.tookMark(in.MessageID.ID) // nobody will tell of it
		return nil, err
	}
	return out, nil
}

// checkMembership allows what a member may do without having joined.
func (g *Gateway) checkMembership(ctx context.Context, s *session, conversation chat.ID) error {
	if r, err := s.room(conversation); err == nil {
		return g.checkMember(ctx, r, s.user.ID)
	}
	c, err := ask(ctx, g, func(ctx context.Context) (membership, error) { return g.readMembers(ctx, conversation) })
	if err != nil {
		return err
	}
	if _, member := c.Member(s.user.ID); !member {
		return chat.ErrNotFound
	}
	return nil
}

// receiveRead tells the message's sender and the reader's other devices.
func (g *Gateway) receiveRead(e *relay.Read) {
	packet := encode("message:read", read{e.MessageID, e.ConversationID, e.Seq, e.ReadBy, e.At.UnixMilli()})
	for _, user := range e.To {
		for _, s := range g.sessions.of(user) {
			if user == e.ReadBy && s.tookMark(e.MessageID) {
				continue
			}
			s.conn.Send(packet)
		}
	}
}
