package chat

import "time"

// PresenceChange is a user coming online or going offline, as others see it.
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

// Visibility is whether others may see that a user is there.
type Visibility int

// The values of Visibility.
const (
	VisibleAsBefore Visibility = iota // the user's wish could not be read: what was known of it holds
	Visible
	Invisible
)

// Arrival is a user whose first device has come to a gateway, or whose visibility has changed there.
type Arrival struct {
	UserID     ID
	Visibility Visibility
}

// Attendance is when a user was there, for those who decide whether to call them, and for nobody's eyes.
type Attendance struct {
	There bool      // with a device, now
	Came  time.Time // when a device last came to a gateway where there was none; zero: not in the last 30 days
}

// Settings are a user's own wishes. The zero value is that of a user who has none.
type Settings struct {
	Invisible bool // others see the user as offline
	Muted     []ID // conversations that notify the user of nothing; in no order
}

// Call is a member having been called to a conversation in which they have not read a message.
type Call struct {
	ConversationID ID
	UserID         ID
	Seq            int64 // of that message
	At             time.Time
}

// Notification is for a member who was away: a message waits, and the marketplace may send a push or an e-mail.
type Notification struct {
	ID             ID // the same each time it is made of the same message for the same user
	UserID         ID
	ConversationID ID
	MessageID      ID
	Seq            int64 // of that message
	Sender         User
	Preview        string
	Unread         int64 // messages of the conversation that the user has not read
	SentAt         time.Time
	At             time.Time
}

// NotificationID is that of the notification of a message for a user.
func NotificationID(message, user ID) ID { return MessageID(message, user, message) }

// PeersOf is in how many of a user's conversations others are looked for who hear of the user: of a seller with more,
// the youngest count, so that what it costs has a bound.
const PeersOf = 2_000

// MaxMuted is how many conversations a user may mute.
const MaxMuted = 1_000
