package gateway

import (
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/dozaar/dozaar/pkg/chat"
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

// notify tells the members' sockets that are not in the room. A redelivered message notifies nobody twice.
func (g *Gateway) notify(m chat.Message, users []chat.ID) {
	if len(users) == 0 || !g.notified.first(m.ConversationID, m.Seq) {
		return
	}
	packet := encode("message:notification", notification{
		ConversationID: m.ConversationID, MessageID: m.ID, Seq: m.Seq, Preview: m.Preview(),
		Sender: m.Sender, Timestamp: m.CreatedAt.UnixMilli(),
	})
	for _, user := range users {
		if user == m.Sender.ID {
			continue
		}
		for _, s := range g.sessions.of(user) {
			if _, err := s.room(m.ConversationID); err == nil {
				continue
			}
			s.conn.Send(packet)
			g.metrics.notifications.Inc()
		}
	}
}

// notifiedConversations bounds what is remembered to tell a repeated notification.
const notifiedConversations = 100_000

// notified remembers the last seq notified of each conversation.
type notified struct {
	mu   sync.Mutex // makes look and add one step
	last *lru.Cache[chat.ID, int64]
}

func (n *notified) init() { n.last, _ = lru.New[chat.ID, int64](notifiedConversations) }

// first is true once for each seq of a conversation, in rising order.
func (n *notified) first(conversation chat.ID, seq int64) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if last, ok := n.last.Get(conversation); ok && seq <= last {
		return false
	}
	n.last.Add(conversation, seq)
	return true
}
