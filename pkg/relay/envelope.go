package relay

import (
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// Envelope is one thing a gateway is told. Exactly one field is set.
type Envelope struct {
	Message  *Message
	Read     *Read
	Typing   *Typing
	Members  *Members
	Presence *Presence
	Conflict *Conflict
	Settings *Settings
}

// Message is a stored, numbered message for the room of its conversation.
//
// Never hand it to encoding/json: the embedded message's MarshalJSON would speak for the whole.
type Message struct {
	chat.Message
	Revision int64     // of the members that the sender of the envelope knew
	Notify   []chat.ID // members with a lease at this gateway, the message's sender excluded
	Trace    string    // W3C's traceparent of the span that sends it; empty: it is not traced
}

// Read is an accepted `mark:read`.
type Read struct {
	MessageID      chat.ID
	ConversationID chat.ID
	Seq            int64
	ReadBy         chat.ID
	At             time.Time
	To             []chat.ID // users at this gateway who are told
}

// Typing is somebody starting or stopping to type.
type Typing struct {
	ConversationID chat.ID
	UserID         chat.ID
	Typing         bool
}

// Members says that a conversation's members changed: read them again if Revision is news.
// Added and Removed are zero where nobody was.
type Members struct {
	ConversationID chat.ID
	Revision       int64
	Added          chat.ID
	Removed        chat.ID
}

// Presence is a user coming online or going offline, for those who share a conversation or have asked.
type Presence struct {
	Change chat.PresenceChange
	To     []chat.ID // users at this gateway who are told
	Asked  bool      // somebody at this gateway has asked about the user
}

// Conflict tells a sender that their client message id was used before, with another body.
type Conflict struct {
	UserID          chat.ID
	ConversationID  chat.ID
	ClientMessageID chat.ID
}

// Settings says that a user's settings changed: read them again.
type Settings struct {
	UserID chat.ID
}

// Addressed is an envelope and the gateway instance it is for.
type Addressed struct {
	Gateway  string
	Envelope Envelope
}

// kinds counts the fields that are set.
func (e Envelope) kinds() int {
	n := 0
	for _, set := range [...]bool{e.Message != nil, e.Read != nil, e.Typing != nil, e.Members != nil, e.Presence != nil, e.Conflict != nil, e.Settings != nil} {
		if set {
			n++
		}
	}
	return n
}
