package chat

import (
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"
)

// Limits of a conversation.
const (
	MaxUsernameChars = 128
	MaxRoleChars     = 32
	MaxKeyChars      = 256
	MaxMetadataBytes = 16 << 10
	MaxMembers       = 10_000
)

// Member is a user in a conversation.
type Member struct {
	UserID   ID     `json:"userId"`
	Username string `json:"username"`
	Role     string `json:"role,omitempty"` // the marketplace's word: buyer, seller …
}

// Conversation is who talks, and what the marketplace attached to it.
type Conversation struct {
	ID        ID
	Key       string // the marketplace's own name for it, unique; "" for none
	Members   []Member
	Metadata  json.RawMessage // a JSON object, or nil
	Revision  int64           // grows with every change of members
	CreatedAt time.Time
}

// Member finds a user among the members.
func (c Conversation) Member(user ID) (Member, bool) {
	for _, m := range c.Members {
		if m.UserID == user {
			return m, true
		}
	}
	return Member{}, false
}

// Validate checks what a marketplace asks to create and names the field at fault.
func (c Conversation) Validate() error {
	if n := utf8.RuneCountInString(c.Key); n > MaxKeyChars || !utf8.ValidString(c.Key) {
		return Invalid("key", fmt.Sprintf("must be at most %d characters of UTF-8", MaxKeyChars))
	}
	if len(c.Members) == 0 {
		return Invalid("members", "at least one member is required")
	}
	if len(c.Members) > MaxMembers {
		return Invalid("members", fmt.Sprintf("at most %d members are allowed", MaxMembers))
	}
	seen := make(map[ID]bool, len(c.Members))
	for i, m := range c.Members {
		if err := m.Validate(); err != nil {
			err.Field = fmt.Sprintf("members[%d].%s", i, err.Field)
			return err
		}
		if seen[m.UserID] {
			return Invalid(fmt.Sprintf("members[%d].userId", i), "is in the list twice")
		}
		seen[m.UserID] = true
	}
	return validateMetadata(c.Metadata)
}

// Validate checks a member and names the field at fault.
func (m Member) Validate() *Error {
	if m.UserID == (ID{}) {
		return Invalid("userId", "must be a UUID")
	}
	if err := validateUsername(m.Username); err != nil {
		return err
	}
	if utf8.RuneCountInString(m.Role) > MaxRoleChars || !utf8.ValidString(m.Role) {
		return Invalid("role", fmt.Sprintf("must be at most %d characters of UTF-8", MaxRoleChars))
	}
	return nil
}

// Validate checks a user as a token names them.
func (u User) Validate() error {
	if u.ID == (ID{}) {
		return Invalid("sub", "must be a UUID")
	}
	if err := validateUsername(u.Username); err != nil {
		return err
	}
	return nil
}

func validateUsername(name string) *Error {
	if n := utf8.RuneCountInString(name); n == 0 || n > MaxUsernameChars || !utf8.ValidString(name) {
		return Invalid("username", fmt.Sprintf("must have 1 to %d characters of UTF-8", MaxUsernameChars))
	}
	return nil
}

func validateMetadata(raw json.RawMessage) error {
	if len(raw) == 0 {
		return nil
	}
	if len(raw) > MaxMetadataBytes {
		return Invalid("metadata", fmt.Sprintf("is larger than %d bytes", MaxMetadataBytes))
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil || object == nil {
		return Invalid("metadata", "must be a JSON object")
	}
	return nil
}

// Change is what happened to a conversation's membership.
type Change string

// The kinds of Change.
const (
	Created       Change = "created"
	MemberPut     Change = "member_put"
	MemberRemoved Change = "member_removed"
)

// ConversationEvent tells the world, through Kafka, that a conversation was made or its members changed.
type ConversationEvent struct {
	Change       Change
	Conversation Conversation // as it is after the change
	UserID       ID           // who was put or removed; zero for Created
	At           time.Time
}

// InboxEntry is one conversation in its member's list.
type InboxEntry struct {
	Conversation Conversation
	LastMessage  *Message // nil: nobody has written yet
	LastSeq      int64
	ReadSeq      int64
	ActivityAt   time.Time // the last message's time, else the conversation's
}

// Unread is how many messages the member has not read: arithmetic, never a counter that drifts.
func (e InboxEntry) Unread() int64 { return max(0, e.LastSeq-e.ReadSeq) }
