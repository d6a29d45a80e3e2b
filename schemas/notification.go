package schemas

import "github.com/dozaar/dozaar/pkg/chat"

// EncodeNotification gives the value of a record of chat.notifications.
func (c *Codec) EncodeNotification(n chat.Notification) ([]byte, error) {
	return c.notification.encode(notificationDue{
		NotificationID: n.ID, UserID: n.UserID, ConversationID: n.ConversationID, MessageID: n.MessageID, Seq: n.Seq,
		SenderID: n.Sender.ID, SenderUsername: n.Sender.Username, Preview: n.Preview, Unread: n.Unread, SentAt: n.SentAt, DueAt: n.At,
	})
}

// DecodeNotification reads the value of a record of chat.notifications. See [Codec] for its errors.
func (c *Codec) DecodeNotification(value []byte) (chat.Notification, error) {
	w, err := c.notification.decode(value)
	if err != nil {
		return chat.Notification{}, err
	}
	return chat.Notification{
		ID: w.NotificationID, UserID: w.UserID, ConversationID: w.ConversationID, MessageID: w.MessageID, Seq: w.Seq,
		Sender: chat.User{ID: w.SenderID, Username: w.SenderUsername}, Preview: w.Preview, Unread: w.Unread,
		SentAt: w.SentAt.UTC(), At: w.DueAt.UTC(),
	}, nil
}
