package client

import (
	"io"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/dozaar/dozaar/loadtest/history"
)

// device is one that writes down into nothing and is in a conversation.
func quiet(conversation uuid.UUID) *Device {
	d := New(Config{Name: "bea.1", User: uuid.New(), Record: history.NewWriter(io.Discard).Record, Stats: &Stats{}})
	d.Join(conversation)
	d.room(conversation).joined = true
	return d
}

// BenchmarkShown is what a message costs a device that is shown it, without the kernel.
func BenchmarkShown(b *testing.B) {
	conversation := uuid.New()
	d := quiet(conversation)
	packet := []byte(`42/chat,["new:message",{"id":"` + uuid.NewString() + `","conversationId":"` + conversation.String() + `","seq":7,"senderId":"` + uuid.NewString() +
		`","sender":{"id":"` + uuid.NewString() + `","username":"Bea"},"message":"4711 Можно завтра? ` + strings.Repeat("Is it still available? ", 3) +
		`","attachmentUrls":[],"clientMessageId":"` + uuid.NewString() + `","createdAt":"2026-11-26T12:00:00.000Z"}]`)
	b.ReportAllocs()
	for b.Loop() {
		if err := d.packet(packet); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSent is what a message costs the device that sends it, until it is answered, without the kernel.
func BenchmarkSent(b *testing.B) {
	conversation := uuid.New()
	d := quiet(conversation)
	r := d.room(conversation)
	text := "4711 Можно завтра? " + strings.Repeat("Is it still available? ", 3)
	b.ReportAllocs()
	for b.Loop() {
		o := &outgoing{Message: Message{Conversation: conversation, Client: uuid.New(), Text: text}, body: history.BodyOf(text, nil)}
		d.try(r, o)
		d.answered(d.lastAsk, acknowledgement{OK: true})
		d.out = d.out[:0]
	}
}
