package standin

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// mostReplayed is the contract's.
const mostReplayed = 1000

// request is any event's payload.
type request struct {
	ConversationID  uuid.UUID
	AfterSeq        *int64
	Message         string
	AttachmentURLs  []string
	ClientMessageID uuid.UUID
	MessageID       uuid.UUID
}

var ok = map[string]any{"ok": true}

func refusal(code string) map[string]any { return map[string]any{"ok": false, "code": code} }

// event takes `id["name",payload]`.
func (c *session) event(b []byte) {
	i := bytes.IndexByte(b, '[')
	if i < 0 {
		return
	}
	id := string(b[:i])
	var parts []json.RawMessage
	var name string
	var r request
	if json.Unmarshal(b[i:], &parts) != nil || len(parts) != 2 || json.Unmarshal(parts[0], &name) != nil || json.Unmarshal(parts[1], &r) != nil {
		return
	}
	answer := c.handle(name, r)
	if _, err := strconv.Atoi(id); err == nil {
		c.text("43" + namespace + id + "[" + encode(answer) + "]")
	}
}

func (c *session) handle(name string, r request) any {
	if name == "get:online_status" {
		return ok
	}
	if name == "mark:read" {
		return c.mark(r.MessageID)
	}
	cv := c.server.conversation(r.ConversationID)
	if cv == nil {
		return refusal("not_found")
	}
	cv.mu.Lock()
	defer cv.mu.Unlock()
	_, member := cv.members[c.user]
	_, joined := cv.room[c]
	switch {
	case !member:
		return refusal("not_found")
	case name == "join:conversation":
		return c.join(cv, r)
	case !joined:
		return refusal("not_joined")
	case name == "send:message":
		return c.send(cv, r)
	case name == "leave:conversation":
		delete(cv.room, c)
	case name == "typing:start":
		cv.tell(c, eventFrame("user:typing", map[string]any{"conversationId": cv.id, "userId": c.user}))
	}
	return ok
}

// join puts the session into the room; what it missed follows. cv.mu is held.
func (c *session) join(cv *conversation, r request) any {
	last := int64(len(cv.messages))
	after := last
	if r.AfterSeq != nil {
		after = min(max(*r.AfterSeq, 0), last)
	}
	recovered := last-after <= mostReplayed
	joined := map[string]any{"conversationId": cv.id, "lastSeq": last, "readSeq": cv.read[c.user], "recovered": recovered, "missed": last - after}
	c.emit("joined:conversation", joined)
	for i := after; recovered && i < last; i++ {
		c.emit("new:message", cv.messages[i])
	}
	cv.room[c] = struct{}{}
	return ok
}

// send takes a message, unless it is there. cv.mu is held.
func (c *session) send(cv *conversation, r request) any {
	key := clientKey{c.user, r.ClientMessageID}
	if i, there := cv.byClient[key]; there && r.ClientMessageID != uuid.Nil {
		m := cv.messages[i]
		if m.Message != r.Message || !slices.Equal(m.AttachmentURLs, r.AttachmentURLs) {
			return refusal("conflict")
		}
		return map[string]any{"ok": true, "messageId": m.ID}
	}
	m := message{
		ID: uuid.New(), ConversationID: cv.id, Seq: int64(len(cv.messages) + 1), SenderID: c.user, Sender: sender{c.user, "somebody"},
		Message: r.Message, AttachmentURLs: r.AttachmentURLs, ClientMessageID: r.ClientMessageID, CreatedAt: time.Now().UTC(),
	}
	cv.byClient[key] = len(cv.messages)
	cv.byID[m.ID] = m.Seq
	cv.messages = append(cv.messages, m)
	cv.read[c.user] = m.Seq
	cv.tell(nil, eventFrame("new:message", m))
	c.notify(cv, m)
	return map[string]any{"ok": true, "messageId": m.ID}
}

// tell sends a frame to everybody in the room but one. cv.mu is held.
func (cv *conversation) tell(but *session, frame []byte) {
	for other := range cv.room {
		if other != but {
			other.queue(frame)
		}
	}
}

// notify tells members who are elsewhere. cv.mu is held.
func (c *session) notify(cv *conversation, m message) {
	notification := map[string]any{"conversationId": cv.id, "messageId": m.ID, "seq": m.Seq, "sender": m.Sender}
	for user := range cv.members {
		if user == m.SenderID {
			continue
		}
		for _, s := range c.server.sessionsOf(user) {
			if _, here := cv.room[s]; !here {
				s.emit("message:notification", notification)
			}
		}
	}
}

func (c *session) mark(id uuid.UUID) any {
	c.server.mu.Lock()
	mine := slices.Clone(c.server.inboxes[c.user])
	c.server.mu.Unlock()
	for _, cv := range mine {
		cv.mu.Lock()
		seq, there := cv.byID[id]
		if there {
			cv.read[c.user] = max(cv.read[c.user], seq)
		}
		cv.mu.Unlock()
		if there {
			return ok
		}
	}
	return refusal("not_found")
}
