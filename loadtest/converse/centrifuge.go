package converse

import (
	"bytes"
	"strconv"

	"github.com/dozaar/dozaar/loadtest/wire"
)

// centrifuge is the JSON form of Centrifuge's client protocol: objects, separated by newlines where a frame has several. A
// conversation is a channel.
type centrifuge struct{}

// The ids of commands: connecting has 1, messages have those above 10.
const (
	subscribeID = 2
	messageIDs  = 10
)

var (
	anID   = []byte(`{"id":`)
	aPush  = []byte(`{"push":`)
	aFault = []byte(`"error":`)
	aPing  = []byte(`{}`)
)

func (centrifuge) target(_ Conversation, _ int, address string) wire.Target {
	return wire.Target{Address: address, Bare: true}
}

func (centrifuge) greet(conn *wire.Conn, token string) error {
	return conn.Ask(`{"id":1,"connect":{"token":"`+token+`"}}`, `{"id":1,"connect":`)
}

func (centrifuge) join(c Conversation) string {
	return `{"id":2,"subscribe":{"channel":"` + c.ID + `"}}`
}

func (centrifuge) say(conversation string, n int64) string {
	return `{"id":` + strconv.FormatInt(n+messageIDs, 10) + `,"publish":{"channel":"` + conversation + `","data":{"message":"` + TextOf(n) + `"}}}`
}

func (centrifuge) hear(frame []byte, tell func(word)) {
	for object := range bytes.SplitSeq(frame, []byte{'\n'}) {
		switch {
		case len(object) == 0:
		case bytes.Equal(object, aPing):
			tell(word{kind: pinged})
		case bytes.HasPrefix(object, aPush):
			if text := after(object, textField); len(text) > 0 { // others tell of who came
				n := number(text)
				tell(word{kind: message, n: n})
			}
		case bytes.HasPrefix(object, anID):
			id := number(object[len(anID):])
			ok := !bytes.Contains(object, aFault)
			if id == subscribeID {
				tell(word{kind: joined, ok: ok})
			} else if id > messageIDs {
				tell(word{kind: acknowledged, n: id - messageIDs, ok: ok})
			}
		default:
			tell(word{kind: wrong})
		}
	}
}
