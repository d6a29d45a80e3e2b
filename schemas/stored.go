package schemas

import (
	"github.com/dozaar/dozaar/pkg/chat"
)

// EncodeStored gives the value of a record of chat.messages.stored. The message has its number.
func (c *Codec) EncodeStored(m chat.Message) ([]byte, error) {
	return c.stored.encode(messageStored{
		MessageID:       m.ID,
		ConversationID:  m.ConversationID,
		Seq:             m.Seq,
		SenderID:        m.Sender.ID,
		SenderUsername:  m.Sender.Username,
		Text:            m.Text,
		AttachmentURLs:  m.AttachmentURLs,
		ClientMessageID: optional(m.ClientMessageID),
		CreatedAt:       m.CreatedAt,
	})
}

// DecodeStored reads the value of a record of chat.messages.stored. See [Codec] for its errors.
func (c *Codec) DecodeStored(value []byte) (chat.Message, error) {
	w, err := c.stored.decode(value)
	if err != nil {
		return chat.Message{}, err
	}
	m := chat.Message{
		ID:              w.MessageID,
		ConversationID:  w.ConversationID,
		Seq:             w.Seq,
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
