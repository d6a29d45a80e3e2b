package schemas

import "github.com/dozaar/dozaar/pkg/chat"

// EncodePresence gives the value of a record of chat.presence.
func (c *Codec) EncodePresence(p chat.PresenceChange) ([]byte, error) {
	return c.presence.encode(presenceChanged{p.UserID, p.Online, p.Version, p.At})
}

// DecodePresence reads the value of a record of chat.presence. See [Codec] for its errors.
func (c *Codec) DecodePresence(value []byte) (chat.PresenceChange, error) {
	w, err := c.presence.decode(value)
	if err != nil {
		return chat.PresenceChange{}, err
	}
	return chat.PresenceChange{UserID: w.UserID, Online: w.Online, Version: w.Version, At: w.ChangedAt.UTC()}, nil
}
