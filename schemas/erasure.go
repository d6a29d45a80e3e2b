package schemas

import (
	"github.com/dozaar/dozaar/pkg/chat"
)

// EncodeErasure gives the value of a record of chat.erasures.
func (c *Codec) EncodeErasure(e chat.ErasureEvent) ([]byte, error) {
	w := userErased{
		Change: string(e.Change), UserID: e.UserID, RequestedAt: e.RequestedAt, ConversationID: optional(e.Part.ConversationID),
		Seqs: e.Part.Seqs, Messages: e.Messages, ChangedAt: e.At,
	}
	if !e.Part.From.IsZero() {
		w.FirstSentAt, w.LastSentAt = &e.Part.From, &e.Part.To
	}
	return c.erasure.encode(w)
}

// DecodeErasure reads the value of a record of chat.erasures. The change may be a word that this version does not know.
// See [Codec] for its errors.
func (c *Codec) DecodeErasure(value []byte) (chat.ErasureEvent, error) {
	w, err := c.erasure.decode(value)
	if err != nil {
		return chat.ErasureEvent{}, err
	}
	e := chat.ErasureEvent{
		Change: chat.ErasureChange(w.Change), UserID: w.UserID, RequestedAt: w.RequestedAt.UTC(), Messages: w.Messages, At: w.ChangedAt.UTC(),
		Part: chat.ErasedPart{ConversationID: orZero(w.ConversationID)},
	}
	if len(w.Seqs) > 0 {
		e.Part.Seqs = w.Seqs
	}
	if w.FirstSentAt != nil && w.LastSentAt != nil {
		e.Part.From, e.Part.To = w.FirstSentAt.UTC(), w.LastSentAt.UTC()
	}
	return e, nil
}
