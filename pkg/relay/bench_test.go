package relay

import (
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

func messageEnvelope() Envelope {
	return Envelope{Message: &Message{
		Message: chat.Message{
			ID: chat.NewID(), ConversationID: chat.NewID(), Seq: 4711, Sender: chat.User{ID: chat.NewID(), Username: "ann of the shop"},
			Text: strings.Repeat("how much is it? ", 6), CreatedAt: time.UnixMilli(1_750_000_000_000).UTC(),
		},
		Revision: 3, Notify: []chat.ID{chat.NewID(), chat.NewID()},
	}}
}

func BenchmarkEncodeMessage(b *testing.B) {
	e := messageEnvelope()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := encode(e); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodeMessages decodes a batch of ten; a message is a tenth of it.
func BenchmarkDecodeMessages(b *testing.B) {
	var encoded [][]byte
	for range 10 {
		e, err := encode(messageEnvelope())
		if err != nil {
			b.Fatal(err)
		}
		encoded = append(encoded, e)
	}
	batch := join(encoded)
	b.SetBytes(int64(len(batch)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decode(batch); err != nil {
			b.Fatal(err)
		}
	}
}
