package chat

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/rivo/uniseg"
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

// Validate checks a message as it comes out of the log, where anybody may have put it.
func (m Message) Validate() error {
	if err := (Draft{Text: m.Text, AttachmentURLs: m.AttachmentURLs}).Validate(); err != nil {
		return err
	}
	if err := m.Sender.Validate(); err != nil {
		return err
	}
	none := ID{}
	switch {
	case m.ConversationID == none:
		return errors.New("there is no conversation id")
	case m.ID == none:
		return errors.New("there is no message id")
	case m.ClientMessageID != none && m.ID != MessageID(m.ConversationID, m.Sender.ID, m.ClientMessageID):
		return errors.New("the message id does not follow from conversation, sender and client message id")
	}
	return ValidateTime(m.CreatedAt)
}

// ValidateTime refuses what not every store and every client can represent.
func ValidateTime(t time.Time) error {
	if year := t.UTC().Year(); year < 1970 || year > 9999 {
		return fmt.Errorf("the time is in the year %d", year)
	}
	return nil
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

// Preview is the first 100 characters of the text, never half of one: of what a reader sees as one character but is several
// code points, such as a letter with an accent or a family of emoji, either all or nothing is in it.
func (m Message) Preview() string {
	end, n := 0, 0
	for rest, state := m.Text, -1; rest != ""; {
		var seen string
		seen, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if n += utf8.RuneCountInString(seen); n > PreviewChars {
			break
		}
		end += len(seen)
	}
	if end > 0 || m.Text == "" {
		return m.Text[:end]
	}
	return firstCodePoints(m.Text, PreviewChars) // a single character that is longer than that: a joke
}

func firstCodePoints(text string, n int) string {
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
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
