package chat

import (
	"crypto/sha256"

	"github.com/google/uuid"
)

// ID is a UUID: of a user, a conversation, a message or a client message.
// The zero ID stands for "none" and is never accepted from outside.
type ID = uuid.UUID

// NewID returns a new UUIDv7, which sorts by the time it was made.
func NewID() ID { return uuid.Must(uuid.NewV7()) }

// ParseID reads the canonical 36-character form, in either case. Braces, URNs, bare hex and the
// nil UUID are refused.
func ParseID(s string) (ID, bool) {
	if len(s) != 36 {
		return ID{}, false
	}
	id, err := uuid.Parse(s)
	return id, err == nil && id != uuid.Nil
}

// MessageID derives the id of a message that carries a client message id: a UUIDv8 (RFC 9562) of
// SHA-256(conversation, sender, client id). However often and wherever a message is retried, it is
// the same message.
func MessageID(conversation, sender, client ID) ID {
	sum := sha256.New()
	sum.Write(conversation[:])
	sum.Write(sender[:])
	sum.Write(client[:])
	return uuidV8(sum.Sum(nil))
}

// ConversationIDFromKey derives the id of a conversation that a marketplace names by a key.
func ConversationIDFromKey(key string) ID {
	sum := sha256.Sum256([]byte("conversation key\x00" + key))
	return uuidV8(sum[:])
}

func uuidV8(hash []byte) ID {
	var id ID
	copy(id[:], hash)
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}
