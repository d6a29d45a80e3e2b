package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// Sign is the header webhook-signature of Standard Webhooks: v1, and the HMAC-SHA256 of id, time and body, joined by
// dots. The time is signed so that nobody can send an old post again as a new one: refuse what is more than five minutes old.
func Sign(secret []byte, id string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s.%d.", id, at.Unix())
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Secret reads a secret as it is configured: whsec_ and base64, as Standard Webhooks writes them, or any text.
func Secret(text string) ([]byte, error) {
	encoded, is := strings.CutPrefix(text, "whsec_")
	if !is {
		return []byte(text), nil
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("what follows whsec_ is not base64: %w", err)
	}
	return key, nil
}

// payload is the body of a post. Times are ISO 8601.
type payload struct {
	Type      string      `json:"type"`
	Timestamp string      `json:"timestamp"` // when it was found due
	Data      payloadData `json:"data"`
}

type payloadData struct {
	NotificationID chat.ID   `json:"notificationId"`
	UserID         chat.ID   `json:"userId"`
	ConversationID chat.ID   `json:"conversationId"`
	MessageID      chat.ID   `json:"messageId"`
	Seq            int64     `json:"seq"`
	Sender         chat.User `json:"sender"`
	Preview        string    `json:"preview"`
	Unread         int64     `json:"unread"`
	SentAt         string    `json:"sentAt"`
}

func payloadOf(n chat.Notification) payload {
	return payload{"notification.due", n.At.UTC().Format(chat.TimeFormat), payloadData{
		n.ID, n.UserID, n.ConversationID, n.MessageID, n.Seq, n.Sender, n.Preview, n.Unread, n.SentAt.UTC().Format(chat.TimeFormat),
	}}
}
