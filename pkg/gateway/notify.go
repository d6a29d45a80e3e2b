package gateway

import (
	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/socketio"
)

// notification is the contract's `message:notification`.
type notification struct {
	ConversationID chat.ID   `json:"conversationId"`
	MessageID      chat.ID   `json:"messageId"`
	Seq            int64     `json:"seq"`
	Preview        string    `json:"preview"`
	Sender         chat.User `json:"sender"`
	Timestamp      int64     `json:"timestamp"` // Unix milliseconds
}

// notify tells the members' sockets that are not in the room, unless the member has muted the conversation. A redelivered message notifies nobody twice.
func (g *Gateway) notify(m chat.Message, users []chat.ID) {
	if len(users) == 0 || !g.notified.rises(m.ConversationID, m.Seq) {
		return
	}
	var packet *socketio.Packet // most are in the room
	for _, user := range users {
		if user == m.Sender.ID || g.wishes.muted(user, m.ConversationID) {
			continue
		}
		for _, s := range g.sessions.of(user) {
			if _, err := s.room(m.ConversationID); err == nil {
				continue
			}
			if packet == nil {
				packet = encode("message:notification", notification{
					ConversationID: m.ConversationID, MessageID: m.ID, Seq: m.Seq, Preview: m.Preview(),
					Sender: m.Sender, Timestamp: m.CreatedAt.UnixMilli(),
				})
			}
			s.conn.Send(packet)
			g.metrics.notifications.Inc()
		}
	}
}

// notifiedConversations bounds what is remembered to tell a repeated notification.
const notifiedConversations = 100_000
