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

	epochField   = []byte(`"epoch":"`)
	channelField = []byte(`"channel":"`)
)

func (centrifuge) target(_ Conversation, _ int, address string) wire.Target {
	return wire.Target{Address: address, Bare: true}
}

func (centrifuge) greet(conn *wire.Conn, token string) error {
	return conn.Ask(`{"id":1,"connect":{"token":"`+token+`"}}`, `{"id":1,"connect":`)
}

// join names the last message by its offset, which is its number: nothing else is published to a channel.
func (centrifuge) join(c Conversation, from *position) string {
	after := ""
	if from != nil {
		after = `,"recover":true,"epoch":"` + from.epoch + `","offset":` + strconv.FormatInt(from.last, 10)
	}
	return `{"id":2,"subscribe":{"channel":"` + c.ID + `"` + after + `}}`
}

func (centrifuge) resumes() bool { return true }

func (centrifuge) say(conversation string, n int64, bytes int) string {
	return `{"id":` + strconv.FormatInt(n+messageIDs, 10) + `,"publish":{"channel":"` + conversation + `","data":{"message":"` + textOf(n, bytes) + `"}}}`
}

func (centrifuge) hear(frame []byte, tell func(word)) {
	for object := range bytes.SplitSeq(frame, []byte{'\n'}) {
		switch {
		case len(object) == 0:
		case bytes.Equal(object, aPing):
			tell(word{kind: pinged})
		case bytes.HasPrefix(object, aPush):
			messages(object, field(object, channelField), tell) // others tell of who came
		case bytes.HasPrefix(object, anID):
			id := number(object[len(anID):])
			ok := !bytes.Contains(object, aFault)
			if id == subscribeID {
				messages(object, nil, tell) // what was missed, of the channel that was asked for
				tell(word{kind: joined, ok: ok, epoch: string(field(object, epochField))})
			} else if id > messageIDs {
				tell(word{kind: acknowledged, n: id - messageIDs, ok: ok})
			}
		default:
			tell(word{kind: wrong})
		}
	}
}

// messages tells of each that an object has.
func messages(object, conversation []byte, tell func(word)) {
	for ; bytes.Contains(object, textField); object = after(object, textField) {
		w := messageOf(object)
		w.conversation = conversation
		tell(w)
	}
}
