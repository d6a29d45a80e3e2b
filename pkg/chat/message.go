package chat

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/url"
	"time"
	"unicode/utf8"
)

// Limits of a message, from the API document and the design. Characters are Unicode code points.
const (
	MaxMessageChars       = 10_000
	MaxAttachments        = 10
	MaxAttachmentURLChars = 2_048
	PreviewChars          = 100
)

// User is who sent something or belongs to something, as others see them.
type User struct {
	ID       ID     `json:"id"`
	Username string `json:"username"`
}

// Message is one message of a conversation. It is immutable once numbered.
type Message struct {
	ID              ID
	ConversationID  ID
	Seq             int64 // 1, 2, 3 … in its conversation; 0 until numbered
	Sender          User  // the name is the token's when it was sent
	Text            string
	AttachmentURLs  []string
	ClientMessageID ID        // zero: none
	CreatedAt       time.Time // milliseconds, UTC
}

// Draft is what a client asks to send.
type Draft struct {
	Text            string
	AttachmentURLs  []string
	ClientMessageID ID // zero: none
}

// Validate checks a draft by the contract and names the field at fault.
func (d Draft) Validate() error {
	if d.Text == "" && len(d.AttachmentURLs) == 0 {
		return Invalid("message", "message or attachmentUrls is required")
	}
	if !utf8.ValidString(d.Text) {
		return Invalid("message", "must be valid UTF-8")
	}
	if n := utf8.RuneCountInString(d.Text); n > MaxMessageChars {
		return Invalid("message", fmt.Sprintf("has %d characters; at most %d are allowed", n, MaxMessageChars))
	}
	if n := len(d.AttachmentURLs); n > MaxAttachments {
		return Invalid("attachmentUrls", fmt.Sprintf("has %d items; at most %d are allowed", n, MaxAttachments))
	}
	for i, raw := range d.AttachmentURLs {
		if why := attachmentFault(raw); why != "" {
			return Invalid(fmt.Sprintf("attachmentUrls[%d]", i), why)
		}
	}
	return nil
}

// MaxClientIDAhead is how far a UUIDv7 client message id may be ahead of the clock.
const MaxClientIDAhead = 5 * time.Minute

// ValidateAt checks a draft as it comes in: also that a UUIDv7 client message id is not from the future.
func (d Draft) ValidateAt(now time.Time) error {
	if d.ClientMessageID.Version() == 7 {
		sec, nsec := d.ClientMessageID.Time().UnixTime()
		if time.Unix(sec, nsec).After(now.Add(MaxClientIDAhead)) {
			return Invalid("clientMessageId", fmt.Sprintf("is a UUIDv7 more than %s ahead of the server's clock", MaxClientIDAhead))
		}
	}
	return d.Validate()
}

// attachmentFault says what is wrong with an attachment's address, or "". The server never fetches one.
func attachmentFault(raw string) string {
	if utf8.RuneCountInString(raw) > MaxAttachmentURLChars {
		return fmt.Sprintf("is longer than %d characters", MaxAttachmentURLChars)
	}
	u, err := url.Parse(raw)
	if err != nil || !utf8.ValidString(raw) {
		return "is not a URL"
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return "must be an http or https URL"
	}
	return ""
}

// New makes the message of a valid draft. With a client message id the message's id is derived from it.
func (d Draft) New(conversation ID, sender User, now time.Time) Message {
	m := Message{
		ConversationID:  conversation,
		Sender:          sender,
		Text:            d.Text,
		AttachmentURLs:  d.AttachmentURLs,
		ClientMessageID: d.ClientMessageID,
		CreatedAt:       now.UTC().Truncate(time.Millisecond),
	}
	if d.ClientMessageID == (ID{}) {
		m.ID = NewID()
	} else {
		m.ID = MessageID(conversation, sender.ID, d.ClientMessageID)
	}
	return m
}

// BodyHash identifies what a message says: a retry has the same one, another message under the
// same client message id has not.
func (m Message) BodyHash() [32]byte {
	b := make([]byte, 0, len(m.Text)+64)
	for _, s := range append([]string{m.Text}, m.AttachmentURLs...) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return sha256.Sum256(b)
}

// Preview is the first 100 characters of the text, never half of one.
func (m Message) Preview() string {
	n := 0
	for i := range m.Text {
		if n == PreviewChars {
			return m.Text[:i]
		}
		n++
	}
	return m.Text
}

// TimeFormat is how times stand in JSON: ISO 8601, UTC, milliseconds.
const TimeFormat = "2006-01-02T15:04:05.000Z"

// StoredMessage is a numbered message with its place in the log.
type StoredMessage struct {
	Message
	Position Position
}

// Head is the newest stored message of a conversation, all earlier ones being stored. Nobody reads past it.
type Head struct {
	ConversationID ID
	Seq            int64
	Position       Position
	ActivityAt     time.Time // when that message was created
}
