package gateway

import (
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// BenchmarkEncodeNewMessage makes the packet that a whole room gets.
func BenchmarkEncodeNewMessage(b *testing.B) {
	m := chat.Message{
		ID: chat.NewID(), ConversationID: chat.NewID(), Seq: 4711, Sender: chat.User{ID: chat.NewID(), Username: "ann of the shop"},
		Text: strings.Repeat("how much is it? ", 6), CreatedAt: time.UnixMilli(1_750_000_000_000).UTC(),
	}
	b.ReportAllocs()
	for b.Loop() {
		encode("new:message", m.JSON())
	}
}

// BenchmarkEncodeAck makes what a sender gets.
func BenchmarkEncodeAck(b *testing.B) {
	ack := sent{true, chat.NewID(), chat.NewID(), chat.ID{}, "2026-01-02T03:04:05.678Z"}
	b.ReportAllocs()
	for b.Loop() {
		encode("ack", ack)
	}
}
