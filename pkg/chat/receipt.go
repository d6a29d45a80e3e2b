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
