package schemas

import (
	"github.com/dozaar/dozaar/pkg/chat"
)

// EncodeMessage gives the value of a record of chat.messages. The message's number is not part of it.
func (c *Codec) EncodeMessage(m chat.Message) ([]byte, error) {
	return c.message.encode(messageSent{
		MessageID:       m.ID,
		ConversationID:  m.ConversationID,
		SenderID:        m.Sender.ID,
		SenderUsername:  m.Sender.Username,
		Text:            m.Text,
		AttachmentURLs:  m.AttachmentURLs,
		ClientMessageID: optional(m.ClientMessageID),
		CreatedAt:       m.CreatedAt,
	})
}

// DecodeMessage reads the value of a record of chat.messages. See [Codec] for its errors.
func (c *Codec) DecodeMessage(value []byte) (chat.Message, error) {
	w, err := c.message.decode(value)
	if err != nil {
		return chat.Message{}, err
	}
	m := chat.Message{
		ID:              w.MessageID,
		ConversationID:  w.ConversationID,
		Sender:          chat.User{ID: w.SenderID, Username: w.SenderUsername},
		Text:            w.Text,
		ClientMessageID: orZero(w.ClientMessageID),
		CreatedAt:       w.CreatedAt.UTC(),
	}
	if len(w.AttachmentURLs) > 0 {
		m.AttachmentURLs = w.AttachmentURLs
	}
	return m, nil
}

func optional(id chat.ID) *chat.ID {
	if id == (chat.ID{}) {
		return nil
	}
	return &id
}

func orZero(id *chat.ID) chat.ID {
	if id == nil {
		return chat.ID{}
	}
	return *id
}
