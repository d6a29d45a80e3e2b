package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/strictjson"
)

// sent acknowledges `send:message`: Kafka has the message on all in-sync replicas.
type sent struct {
	OK              bool    `json:"ok"`
	MessageID       chat.ID `json:"messageId"`
	ConversationID  chat.ID `json:"conversationId"`
	ClientMessageID chat.ID `json:"clientMessageId,omitzero"`
	CreatedAt       string  `json:"createdAt"`
}

// send publishes a message. Its number, and its way to the room, come from streams/deliver.
func (g *Gateway) send(ctx context.Context, s *session, payload json.RawMessage) (any, error) {
	var in struct {
		ConversationID  strictjson.ID `json:"conversationId"`
		Message         *string       `json:"message"`
		AttachmentURLs  []string      `json:"attachmentUrls"`
		ClientMessageID strictjson.ID `json:"clientMessageId"`
		TraceParent     string        `json:"traceparent"`
	}
	if err := strictjson.Object(payload, &in, "payload"); err != nil {
		return nil, err
	}
	if err := in.ConversationID.Required("conversationId"); err != nil {
		return nil, err
	}
	draft := chat.Draft{AttachmentURLs: in.AttachmentURLs, ClientMessageID: in.ClientMessageID.ID}
	if in.Message != nil {
		draft.Text = *in.Message
	}
	if err := draft.ValidateAt(time.Now()); err != nil {
		return nil, err
	}
	r, err := s.room(in.ConversationID.ID)
	if err != nil {
		return nil, err
	}
	if err := g.checkMember(ctx, r, s.user.ID); err != nil {
		return nil, err
	}
	m := draft.New(r.id, s.user, time.Now())
	stored, err := g.storedBefore(ctx, m)
	if err != nil {
		return nil, err
	}
	if stored == nil {
		if err := g.Publisher.PublishMessage(chat.WithTraceParent(ctx, in.TraceParent), m); err != nil {
			return nil, err
		}
	} else {
		m.CreatedAt = stored.CreatedAt
	}
	s.forgetTyping(r.id) // the message itself clears it everywhere
	return sent{true, m.ID, m.ConversationID, m.ClientMessageID, m.CreatedAt.UTC().Format(chat.TimeFormat)}, nil
}

// storedBefore finds what an earlier try of the same client message id left in the store: the same
// message, or a conflict. A try that is still on its way is found by streams/deliver instead.
func (g *Gateway) storedBefore(ctx context.Context, m chat.Message) (*chat.StoredID, error) {
	if m.ClientMessageID == (chat.ID{}) {
		return nil, nil
	}
	stored, found, err := g.storedByID(ctx, m.ID)
	if errors.Is(err, chat.ErrUnavailable) {
		return nil, nil // streams/deliver will look, once the store is back
	}
	if err != nil || !found {
		return nil, err
	}
	if stored.BodyHash != m.BodyHash() {
		return nil, &chat.Error{Code: chat.CodeConflict, Field: "clientMessageId", Message: chat.ErrConflict.Message}
	}
	return &stored, nil
}
