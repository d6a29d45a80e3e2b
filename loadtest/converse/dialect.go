package converse

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/dozaar/dozaar/loadtest/wire"
)

// The dialects that a server may understand.
const (
	Contract   = "contract"   // the contract's events over Socket.IO
	Unnumbered = "unnumbered" // the same, from a server that gives messages no numbers
	Bare       = "bare"       // the same frames over a websocket without Engine.IO and Socket.IO
	Centrifuge = "centrifuge" // Centrifuge's client protocol, JSON
)

// dialect is how things are said to a server, and what those mean that it says.
type dialect interface {
	target(c Conversation, member int, address string) wire.Target
	greet(conn *wire.Conn, token string) error  // once connected, before anything else
	join(c Conversation, from *position) string // nil: who joins is new
	resumes() bool                              // who comes back gets what was missed
	say(conversation string, n int64, bytes int) string
	hear(frame []byte, word func(word)) // each thing that a frame says
}

// position is how far somebody has come in a conversation.
type position struct {
	last  int64
	epoch string // Centrifuge's, of what it counts
}

// word is one thing that a server says.
type word struct {
	kind  wordKind
	n     int64 // of the message: by its text, or what is acknowledged
	seq   int64 // its number; 0: the server gives none
	ok    bool
	epoch string // with joined

	conversation []byte // of the message, a part of the frame; nil: the one that was joined
	text         []byte // of the message, a part of the frame
}

type wordKind int

const (
	joined wordKind = iota
	acknowledged
	message
	pinged // and waits for pong
	wrong  // what it should not have said
)

func dialectOf(name string) (dialect, error) {
	switch name {
	case Contract:
		return socketIO{numbered: true}, nil
	case Unnumbered:
		return socketIO{}, nil
	case Bare:
		return socketIO{bare: true}, nil
	case Centrifuge:
		return centrifuge{}, nil
	}
	return nil, fmt.Errorf("there is no dialect %q", name)
}

// socketIO is the contract.
type socketIO struct{ numbered, bare bool }

var (
	newMessage  = []byte(`42/chat,["new:message",`)
	anException = []byte(`42/chat,["exception",`)
	anAck       = []byte(`43/chat,`)
	anError     = []byte(`44/chat,`)
	seqField    = []byte(`"seq":`)
	textField   = []byte(`"message":"`)
	inField     = []byte(`"conversationId":"`)
	okField     = []byte(`"ok":true`)
)

func (d socketIO) target(c Conversation, member int, address string) wire.Target {
	to := wire.Target{Address: address, Bare: d.bare, Connect: `40/chat,{"token":"` + c.Tokens[member] + `"}`}
	if d.bare {
		to.Query = "&conversation=" + c.ID
	}
	return to
}

func (socketIO) greet(*wire.Conn, string) error { return nil } // the connection did

func (d socketIO) join(c Conversation, from *position) string {
	after := ""
	if d.numbered && from != nil {
		after = `,"afterSeq":` + strconv.FormatInt(from.last, 10)
	}
	return `42/chat,0["join:conversation",{"conversationId":"` + c.ID + `"` + after + `}]`
}

func (d socketIO) resumes() bool { return d.numbered }

func (socketIO) say(conversation string, n int64, bytes int) string {
	return `42/chat,` + strconv.FormatInt(n, 10) + `["send:message",{"conversationId":"` + conversation + `","message":"` + textOf(n, bytes) + `"}]`
}

func (d socketIO) hear(frame []byte, tell func(word)) {
	switch {
	case bytes.HasPrefix(frame, newMessage):
		w := messageOf(frame)
		w.conversation = field(frame, inField)
		if d.numbered {
			w.seq = number(after(frame, seqField))
		}
		tell(w)
	case bytes.HasPrefix(frame, anAck):
		rest := frame[len(anAck):]
		w := word{kind: acknowledged, ok: bytes.Contains(rest, okField)}
		if w.n = number(rest); w.n == 0 {
			w.kind = joined
		}
		tell(w)
	case bytes.HasPrefix(frame, anException), bytes.HasPrefix(frame, anError):
		tell(word{kind: wrong})
	} // others, such as who came online, are no concern of ours
}

// textBytes is how long a message's text is where an order says nothing. It begins with its number.
const textBytes = 100

const numberDigits = 8

// TextOf is the text of a message of that number.
func TextOf(n int64) string { return textOf(n, textBytes) }

func textOf(n int64, bytes int) string {
	const filler = "how much is it? "
	return fmt.Sprintf("%0*d ", numberDigits, n) + strings.Repeat(filler, bytes/len(filler)+1)[:bytes-numberDigits-1]
}

// fillers is what every text has after its number, and longer than any.
var fillers = textOf(0, 1<<16)[numberDigits:]

// isText tells whether a text is that of a message of that number.
func isText(text []byte, n int64, bytes int) bool {
	return len(text) == bytes && number(text) == n && string(text[numberDigits:]) == fillers[:bytes-numberDigits]
}

// messageOf is the first message that a text holds.
func messageOf(frame []byte) word {
	text := field(frame, textField)
	return word{kind: message, n: number(text), text: text}
}

// field is what stands between a mark and the next quote, which nothing of ours has; not nil.
func field(payload, mark []byte) []byte {
	if value, _, found := bytes.Cut(after(payload, mark), []byte{'"'}); found {
		return value
	}
	return []byte{}
}

func after(payload, mark []byte) []byte {
	_, rest, _ := bytes.Cut(payload, mark)
	return rest
}

// number reads the digits that a text begins with.
func number(text []byte) (n int64) {
	for _, c := range text {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + int64(c-'0')
	}
	return n
}
