package api

import (
	"encoding/json"

	"github.com/dozaar/dozaar/pkg/chat"
)

// conversationView is a conversation as everybody in it sees it.
type conversationView struct {
	ID        chat.ID         `json:"id"`
	Key       string          `json:"key,omitempty"`
	Members   []chat.Member   `json:"members"`
	Metadata  json.RawMessage `json:"metadata"` // always an object
	LastSeq   int64           `json:"lastSeq"`
	CreatedAt string          `json:"createdAt"`
}

func viewConversation(c chat.Conversation, lastSeq int64) conversationView {
	v := conversationView{
		ID:        c.ID,
		Key:       c.Key,
		Members:   c.Members,
		Metadata:  c.Metadata,
		LastSeq:   lastSeq,
		CreatedAt: c.CreatedAt.UTC().Format(chat.TimeFormat),
	}
	if v.Members == nil {
		v.Members = []chat.Member{}
	}
	if len(v.Metadata) == 0 {
		v.Metadata = json.RawMessage("{}")
	}
	return v
}

// inboxView is a conversation as it stands in one member's list.
type inboxView struct {
	conversationView
	LastMessage *chat.Message `json:"lastMessage"` // null: nobody has written yet
	ReadSeq     int64         `json:"readSeq"`
	Unread      int64         `json:"unread"`
	ActivityAt  string        `json:"activityAt"`
}

func viewInbox(e chat.InboxEntry) inboxView {
	return inboxView{
		conversationView: viewConversation(e.Conversation, e.LastSeq),
		LastMessage:      e.LastMessage,
		ReadSeq:          e.ReadSeq,
		Unread:           e.Unread(),
		ActivityAt:       e.ActivityAt.UTC().Format(chat.TimeFormat),
	}
}

// statusView is one user's presence, as in `online:status`.
type statusView struct {
	Online   *bool `json:"online"`             // null: unknown
	LastSeen int64 `json:"lastSeen,omitempty"` // Unix milliseconds
}

func viewStatus(s chat.PresenceStatus) statusView {
	v := statusView{Online: s.Online}
	if !s.LastSeen.IsZero() {
		v.LastSeen = s.LastSeen.UnixMilli()
	}
	return v
}
