package history

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// A file is the magic line and then records. A record is its length and so many bytes: the kind, a varint of
// bits that tell which fields follow, and those in the order of fields. Times are varints, as the difference to the
// event before; numbers are varints. Conversation, user, sender, device, code and note are written out once and then by
// the number of that writing, counted from 1; 0 says that a new one follows. Other ids are 16 bytes.
const magic = "dozaar history 1\n"

// maxRecord is far more than a record needs: a greater length is no history.
const maxRecord = 64 << 10

var errCorrupt = errors.New("not a record")

// names numbers what is written often.
type names[T comparable] struct {
	numbers map[T]uint64
	list    []T
}

func (n *names[T]) number(v T) (number uint64, known bool) {
	if n.numbers == nil {
		n.numbers = map[T]uint64{}
	}
	if number, known = n.numbers[v]; !known {
		n.numbers[v] = uint64(len(n.numbers) + 1)
	}
	return number, known
}

// codec has what both ends must agree on. The same fields are put and taken in the same order.
type codec struct {
	last  time.Duration
	ids   names[uuid.UUID]
	texts names[string]
}

// The fields of a record by their bits.
const (
	hasDevice = 1 << iota
	hasUser
	hasConversation
	hasSeq
	hasMessage
	hasClient
	hasSender
	hasBody
	hasOutcome
	hasCode
	hasAfterSeq
	hasLastSeq
	hasReadSeq
	hasMissed
	isRecovered
	hasDue
	hasNote
	allFields
)

func present(e *Event) (bits uint64) {
	for i, has := range [...]bool{
		e.Device != "", e.User != uuid.Nil, e.Conversation != uuid.Nil, e.Seq != 0, e.Message != uuid.Nil, e.Client != uuid.Nil,
		e.Sender != uuid.Nil, e.Body != 0, e.Outcome != 0, e.Code != "", e.AfterSeq != 0, e.LastSeq != 0, e.ReadSeq != 0,
		e.Missed != 0, e.Recovered, e.Due != 0, e.Note != "",
	} {
		if has {
			bits |= 1 << i
		}
	}
	return bits
}

func (c *codec) append(b []byte, e *Event) []byte {
	bits := present(e)
	b = append(b, byte(e.Kind))
	b = binary.AppendUvarint(b, bits)
	b = binary.AppendVarint(b, int64(e.At-c.last))
	c.last = e.At
	for bit := uint64(1); bit < allFields; bit <<= 1 {
		switch bits & bit {
		case hasDevice:
			b = c.appendText(b, e.Device)
		case hasUser:
			b = c.appendID(b, e.User)
		case hasConversation:
			b = c.appendID(b, e.Conversation)
		case hasSeq:
			b = binary.AppendVarint(b, e.Seq)
		case hasMessage:
			b = append(b, e.Message[:]...)
		case hasClient:
			b = append(b, e.Client[:]...)
		case hasSender:
			b = c.appendID(b, e.Sender)
		case hasBody:
			b = binary.BigEndian.AppendUint64(b, uint64(e.Body))
		case hasOutcome:
			b = append(b, byte(e.Outcome))
		case hasCode:
			b = c.appendText(b, e.Code)
		case hasAfterSeq:
			b = binary.AppendVarint(b, e.AfterSeq)
		case hasLastSeq:
			b = binary.AppendVarint(b, e.LastSeq)
		case hasReadSeq:
			b = binary.AppendVarint(b, e.ReadSeq)
		case hasMissed:
			b = binary.AppendVarint(b, e.Missed)
		case hasDue:
			b = binary.AppendVarint(b, int64(e.Due))
		case hasNote:
			b = c.appendText(b, e.Note)
		}
	}
	return b
}

func (c *codec) appendID(b []byte, id uuid.UUID) []byte {
	number, known := c.ids.number(id)
	b = binary.AppendUvarint(b, number)
	if known {
		return b
	}
	return append(b, id[:]...)
}

func (c *codec) appendText(b []byte, text string) []byte {
	number, known := c.texts.number(text)
	b = binary.AppendUvarint(b, number)
	if known {
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}

// taker takes a record apart; bad says that it was none.
type taker struct {
	b   []byte
	bad bool
}

func (t *taker) bytes(n uint64) []byte {
	if uint64(len(t.b)) < n {
		t.bad, t.b = true, nil
		return make([]byte, min(n, 16))
	}
	taken := t.b[:n]
	t.b = t.b[n:]
	return taken
}

func (t *taker) uvarint() uint64 {
	v, n := binary.Uvarint(t.b)
	if n <= 0 {
		t.bad, t.b = true, nil
		return 0
	}
	t.b = t.b[n:]
	return v
}

func (t *taker) varint() int64 {
	u := t.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (c *codec) take(b []byte) (e Event, err error) {
	t := taker{b: b}
	e.Kind = Kind(t.bytes(1)[0])
	bits := t.uvarint()
	e.At = c.last + time.Duration(t.varint())
	c.last = e.At
	for bit := uint64(1); bit < allFields; bit <<= 1 {
		switch bits & bit {
		case hasDevice:
			e.Device = c.takeText(&t)
		case hasUser:
			e.User = c.takeID(&t)
		case hasConversation:
			e.Conversation = c.takeID(&t)
		case hasSeq:
			e.Seq = t.varint()
		case hasMessage:
			e.Message = uuid.UUID(t.bytes(16))
		case hasClient:
			e.Client = uuid.UUID(t.bytes(16))
		case hasSender:
			e.Sender = c.takeID(&t)
		case hasBody:
			e.Body = Body(binary.BigEndian.Uint64(t.bytes(8)))
		case hasOutcome:
			e.Outcome = Outcome(t.bytes(1)[0])
		case hasCode:
			e.Code = c.takeText(&t)
		case hasAfterSeq:
			e.AfterSeq = t.varint()
		case hasLastSeq:
			e.LastSeq = t.varint()
		case hasReadSeq:
			e.ReadSeq = t.varint()
		case hasMissed:
			e.Missed = t.varint()
		case isRecovered:
			e.Recovered = true
		case hasDue:
			e.Due = time.Duration(t.varint())
		case hasNote:
			e.Note = c.takeText(&t)
		}
	}
	if t.bad || len(t.b) > 0 || e.Kind == 0 || e.Kind >= kinds || bits >= allFields || e.Outcome > Refused {
		return e, fmt.Errorf("%w: % x", errCorrupt, b[:min(len(b), 40)])
	}
	return e, nil
}

func (c *codec) takeID(t *taker) uuid.UUID {
	if number := t.uvarint(); number > 0 {
		return named(t, c.ids.list, number)
	}
	id := uuid.UUID(t.bytes(16))
	c.ids.list = append(c.ids.list, id)
	return id
}

func (c *codec) takeText(t *taker) string {
	if number := t.uvarint(); number > 0 {
		return named(t, c.texts.list, number)
	}
	text := string(t.bytes(t.uvarint()))
	c.texts.list = append(c.texts.list, text)
	return text
}

func named[T any](t *taker, list []T, number uint64) (v T) {
	if number > uint64(len(list)) {
		t.bad = true
		return v
	}
	return list[number-1]
}
