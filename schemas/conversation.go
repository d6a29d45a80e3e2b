package schemas

import (
	"encoding/json"

	"github.com/dozaar/dozaar/pkg/chat"
)

// EncodeConversationEvent gives the value of a record of chat.conversations.
func (c *Codec) EncodeConversationEvent(e chat.ConversationEvent) ([]byte, error) {
	members := make([]member, len(e.Conversation.Members))
	for i, m := range e.Conversation.Members {
		members[i] = member(m)
	}
	w := conversationChanged{
		Change:         string(e.Change),
		ConversationID: e.Conversation.ID,
		Key:            e.Conversation.Key,
		Members:        members,
		Revision:       e.Conversation.Revision,
		CreatedAt:      e.Conversation.CreatedAt,
		UserID:         optional(e.UserID),
		ChangedAt:      e.At,
	}
	if e.Conversation.Metadata != nil {
		text := string(e.Conversation.Metadata)
		w.Metadata = &text
	}
	return c.conversation.encode(w)
}

// DecodeConversationEvent reads the value of a record of chat.conversations. The change may be a word
// that this version does not know; the state is whole all the same. See [Codec] for its errors.
func (c *Codec) DecodeConversationEvent(value []byte) (chat.ConversationEvent, error) {
	w, err := c.conversation.decode(value)
	if err != nil {
		return chat.ConversationEvent{}, err
	}
	e := chat.ConversationEvent{
		Change: chat.Change(w.Change),
		Conversation: chat.Conversation{
			ID:        w.ConversationID,
			Key:       w.Key,
			Members:   make([]chat.Member, len(w.Members)),
			Revision:  w.Revision,
			CreatedAt: w.CreatedAt.UTC(),
		},
		UserID: orZero(w.UserID),
		At:     w.ChangedAt.UTC(),
	}
	for i, m := range w.Members {
		e.Conversation.Members[i] = chat.Member(m)
	}
	if w.Metadata != nil {
		e.Conversation.Metadata = json.RawMessage(*w.Metadata)
	}
	return e, nil
}
