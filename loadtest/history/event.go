package history

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Kind is what an event tells of.
type Kind uint8

// The kinds. A device is one client that keeps its cursors over all its connections. Every event of a device
// names it and its User; times of one device never decrease.
const (
	_ Kind = iota
	// Connected and Disconnected: the device's socket came up, at Note, or went down, because of Note.
	Connected
	Disconnected
	// Joined: `joined:conversation` came. AfterSeq is what was asked for, NoCursor where nothing was.
	Joined
	// Left: the device is out of the room: it left and was answered, or was put out.
	Left
	// Send: a try of a message is about to be sent, by its Client id or, without one, its Body. Due is for how long that had been due.
	Send
	// Answer: what became of a try. Ok has the Message id; Refused has the Code, and means that this try wrote nothing.
	Answer
	// Conflict: an `exception` told later that this Client id had been used with another body.
	Conflict
	// Shown: `new:message` came.
	Shown
	// Paged: a message of a history page that the device read to fill what a join did not replay.
	Paged
	// Looked: a message of any other history page, which User read; no device needs to be named.
	Looked
	// Notified: `message:notification` came.
	Notified
	// Mark: the device is about to mark Message, number Seq, as read; Marked: what became of it.
	Mark
	Marked
	// Seen: `message:read` came: Sender, here the reader, has read Message.
	Seen
	// Admitting: User is about to be made a member; Expelled: the server answered that User is none any more.
	Admitting
	Admitted
	Expelling
	Expelled
	// Settled: what follows is read back. Outcome is OK where everything is answered and at rest, and Unknown where that
	// was not waited for longer: then what is missing may still have been under way.
	Settled
	// Stored: a message of the conversation's final history, read in order; End: that was all, and LastSeq is the head.
	Stored
	End
	// Inbox: User's conversation in the list at the end; Outcome is Refused where it is not in it.
	Inbox
	// Remark: something for people, such as a fault that was made.
	Remark
	// Complete: everything was read back; nothing follows.
	Complete
	kinds
)

var kindNames = [kinds]string{
	"", "connected", "disconnected", "joined", "left", "send", "answer", "conflict", "shown", "paged", "looked", "notified",
	"mark", "marked", "seen", "admitting", "admitted", "expelling", "expelled", "settled", "stored", "end", "inbox", "remark", "complete",
}

func (k Kind) String() string {
	if k < kinds {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// MarshalText writes the kind's name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads it.
func (k *Kind) UnmarshalText(text []byte) error {
	i := slices.Index(kindNames[:], string(text))
	if i < 1 {
		return fmt.Errorf("%q is no kind of event", text)
	}
	*k = Kind(i)
	return nil
}

// Outcome is how a request ended, as far as the client knows.
type Outcome uint8

// The outcomes. Unknown is no answer, or one that leaves open whether it was done: `unavailable`, `internal`.
const (
	Unknown Outcome = iota
	OK
	Refused
)

var outcomeNames = [...]string{"unknown", "ok", "refused"}

// MarshalText writes the outcome's name.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(outcomeNames[o%3]), nil }

// UnmarshalText reads it.
func (o *Outcome) UnmarshalText(text []byte) error {
	i := slices.Index(outcomeNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("%q is no outcome", text)
	}
	*o = Outcome(i)
	return nil
}

// Body identifies what a message says.
type Body uint64

// BodyOf hashes text and attachments. Equal bodies have equal hashes; others have others, as good as always.
func BodyOf(text string, attachments []string) Body {
	h := sha256.New()
	var size [4]byte
	for _, s := range append([]string{text}, attachments...) {
		binary.BigEndian.PutUint32(size[:], uint32(len(s)))
		h.Write(size[:])
		h.Write([]byte(s))
	}
	return Body(binary.BigEndian.Uint64(h.Sum(nil)))
}

// MarshalText writes the hash.
func (b Body) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%016x", uint64(b)), nil }

// UnmarshalText reads it.
func (b *Body) UnmarshalText(text []byte) error {
	v, err := strconv.ParseUint(string(text), 16, 64)
	*b = Body(v)
	return err
}

// NoCursor is the AfterSeq of a join that named none.
const NoCursor = -1

// Event is one thing that a client did or saw. Which fields have a meaning is told by its kind.
type Event struct {
	At           time.Duration `json:"at"` // since the history began, by the clients' monotonic clock
	Kind         Kind          `json:"kind"`
	Device       string        `json:"device,omitempty"`
	User         uuid.UUID     `json:"user,omitzero"`
	Conversation uuid.UUID     `json:"conversation,omitzero"`
	Seq          int64         `json:"seq,omitzero"`
	Message      uuid.UUID     `json:"message,omitzero"`
	Client       uuid.UUID     `json:"client,omitzero"` // the clientMessageId
	Sender       uuid.UUID     `json:"sender,omitzero"`
	Body         Body          `json:"body,omitzero"`
	Outcome      Outcome       `json:"outcome,omitzero"`
	Code         string        `json:"code,omitempty"`
	AfterSeq     int64         `json:"afterSeq,omitzero"`
	LastSeq      int64         `json:"lastSeq,omitzero"`
	ReadSeq      int64         `json:"readSeq,omitzero"`
	Missed       int64         `json:"missed,omitzero"` // of a join; of an inbox: unread
	Recovered    bool          `json:"recovered,omitzero"`
	Due          time.Duration `json:"due,omitzero"`
	Note         string        `json:"note,omitempty"`
}
