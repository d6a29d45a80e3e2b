package api

import (
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"time"

	"github.com/dozaar/dozaar/pkg/auth"
	"github.com/dozaar/dozaar/pkg/chat"
)

// inbox lists the caller's conversations, newest activity first. One that moves up while the caller
// pages may be seen on no later page: it stands at the top again.
func (a *api) inbox(r *http.Request, who auth.Identity) (answer, error) {
	p, err := query(r)
	if err != nil {
		return answer{}, err
	}
	limit, err := p.limit()
	if err != nil {
		return answer{}, err
	}
	var from chat.InboxCursor
	if s, given, err := p.text("cursor"); err != nil {
		return answer{}, err
	} else if given {
		var ok bool
		if from, ok = parseCursor(s); !ok {
			return answer{}, chat.Invalid("cursor", "must be the `next` of an earlier page")
		}
	}
	// One more than asked for tells whether there is another page.
	entries, err := a.Inbox.Inbox(r.Context(), who.User.ID, from, limit+1)
	if err != nil {
		return answer{}, err
	}
	page := struct {
		Conversations []inboxView `json:"conversations"`
		Next          *string     `json:"next"`
	}{Conversations: []inboxView{}}
	if len(entries) > limit {
		entries = entries[:limit]
		last := entries[limit-1]
		next := formatCursor(chat.InboxCursor{ActivityAt: last.ActivityAt, ConversationID: last.Conversation.ID})
		page.Next = &next
	}
	for _, e := range entries {
		page.Conversations = append(page.Conversations, viewInbox(e))
	}
	return answer{http.StatusOK, page}, nil
}

// A cursor is a place in a list, as 8 bytes of milliseconds and a conversation's id. It holds no
// secret and opens nothing: the list is always the caller's own.
const cursorBytes = 8 + len(chat.ID{})

func formatCursor(c chat.InboxCursor) string {
	b := make([]byte, 0, cursorBytes)
	b = binary.BigEndian.AppendUint64(b, uint64(c.ActivityAt.UnixMilli()))
	b = append(b, c.ConversationID[:]...)
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseCursor(s string) (chat.InboxCursor, bool) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != cursorBytes {
		return chat.InboxCursor{}, false
	}
	return chat.InboxCursor{
		ActivityAt:     time.UnixMilli(int64(binary.BigEndian.Uint64(b))).UTC(),
		ConversationID: chat.ID(b[8:]),
	}, true
}
