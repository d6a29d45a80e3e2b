package chat

import "time"

// StoredID is what the by-id table keeps of a message: where it is, and what tells a retry from a conflict.
type StoredID struct {
	ConversationID ID
	Seq            int64
	Position       Position
	BodyHash       [32]byte
	SenderID       ID
	CreatedAt      time.Time
}

// InboxCursor is where a page of an inbox ended: the next page starts with what was active before.
// The zero cursor starts at the top.
type InboxCursor struct {
	ActivityAt     time.Time
	ConversationID ID
}

// TopicIdentity is what the store remembers of a topic, so that a recreated or repartitioned one is
// noticed before it overwrites history.
type TopicIdentity struct {
	Topic      string
	ID         string // Kafka's topic id
	Partitions int32
	Epoch      int32 // the log epoch of its positions
}
