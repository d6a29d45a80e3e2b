package chat

import "time"

// ReadMark says that a user has read a conversation up to a message. It only moves forward.
type ReadMark struct {
	ConversationID ID
	UserID         ID
	Seq            int64
}

// Receipt is one accepted `mark:read`, on its way through Kafka.
type Receipt struct {
	ReadMark
	MessageID ID
	SenderID  ID // who wrote the message and is told
	At        time.Time
}

// PresenceChange is a user coming online or going offline.
type PresenceChange struct {
	UserID  ID
	Online  bool
	Version int64 // grows with every change of this user; receivers drop what is not newer
	At      time.Time
}

// PresenceStatus is the answer to "is this user online?".
type PresenceStatus struct {
	Online   *bool     // nil: unknown
	LastSeen time.Time // zero: unknown, or online
}
