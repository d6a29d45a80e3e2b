package schemas

import (
	"github.com/dozaar/dozaar/pkg/chat"
)

// EncodeReceipt gives the value of a record of chat.receipts.
func (c *Codec) EncodeReceipt(r chat.Receipt) ([]byte, error) {
	return c.receipt.encode(messageRead{
		MessageID:      r.MessageID,
		ConversationID: r.ConversationID,
		Seq:            r.Seq,
		SenderID:       r.SenderID,
		ReaderID:       r.UserID,
		ReadAt:         r.At,
	})
}

// DecodeReceipt reads the value of a record of chat.receipts. See [Codec] for its errors.
func (c *Codec) DecodeReceipt(value []byte) (chat.Receipt, error) {
	w, err := c.receipt.decode(value)
	if err != nil {
		return chat.Receipt{}, err
	}
	return chat.Receipt{
		ReadMark:  chat.ReadMark{ConversationID: w.ConversationID, UserID: w.ReaderID, Seq: w.Seq},
		MessageID: w.MessageID,
		SenderID:  w.SenderID,
		At:        w.ReadAt.UTC(),
	}, nil
}
