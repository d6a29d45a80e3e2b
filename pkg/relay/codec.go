package relay

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/dozaar/dozaar/pkg/chat"
)

// The bytes of a batch, and the only place that knows them: JSON with one-letter names, times as
// Unix milliseconds. A field that a reader does not know is ignored, so that gateways and delivers of
// neighbouring versions understand each other during a rolling deploy; an envelope of a kind that it
// does not know decodes to an empty one, which the reader skips.

type wireEnvelope struct {
	Message  *wireMessage  `json:"m,omitempty"`
	Read     *wireRead     `json:"r,omitempty"`
	Typing   *wireTyping   `json:"t,omitempty"`
	Members  *wireMembers  `json:"u,omitempty"`
	Presence *wirePresence `json:"p,omitempty"`
	Conflict *wireConflict `json:"x,omitempty"`
	Settings *wireSettings `json:"s,omitempty"`
}

type wireMessage struct {
	ID             chat.ID   `json:"i"`
	ConversationID chat.ID   `json:"c"`
	Seq            int64     `json:"q"`
	SenderID       chat.ID   `json:"s"`
	SenderName     string    `json:"n"`
	Text           string    `json:"b,omitempty"`
	Attachments    []string  `json:"a,omitempty"`
	ClientID       chat.ID   `json:"k,omitzero"`
	CreatedAt      int64     `json:"t"`
	Revision       int64     `json:"v,omitempty"`
	Notify         []chat.ID `json:"o,omitempty"`
	Trace          string    `json:"w,omitempty"`
}

type wireRead struct {
	MessageID      chat.ID   `json:"i"`
	ConversationID chat.ID   `json:"c"`
	Seq            int64     `json:"q"`
	ReadBy         chat.ID   `json:"u"`
	At             int64     `json:"t"`
	To             []chat.ID `json:"o,omitempty"`
}

type wireTyping struct {
	ConversationID chat.ID `json:"c"`
	UserID         chat.ID `json:"u"`
	Typing         bool    `json:"y,omitempty"`
}

type wireMembers struct {
	ConversationID chat.ID `json:"c"`
	Revision       int64   `json:"v"`
	Added          chat.ID `json:"a,omitzero"`
	Removed        chat.ID `json:"r,omitzero"`
}

type wirePresence struct {
	UserID  chat.ID   `json:"u"`
	Online  bool      `json:"y,omitempty"`
	Version int64     `json:"v"`
	At      int64     `json:"t"`
	To      []chat.ID `json:"o,omitempty"`
	Asked   bool      `json:"q,omitempty"`
}

type wireSettings struct {
	UserID chat.ID `json:"u"`
}

type wireConflict struct {
	UserID          chat.ID `json:"u"`
	ConversationID  chat.ID `json:"c"`
	ClientMessageID chat.ID `json:"k"`
}

var errKinds = errors.New("relay: an envelope must hold exactly one thing")

// encode gives the bytes of one envelope; join makes a batch of several.
func encode(e Envelope) ([]byte, error) {
	if e.kinds() != 1 {
		return nil, errKinds
	}
	var w wireEnvelope
	switch {
	case e.Message != nil:
		m := e.Message
		w.Message = &wireMessage{
			m.ID, m.ConversationID, m.Seq, m.Sender.ID, m.Sender.Username, m.Text, m.AttachmentURLs,
			m.ClientMessageID, m.CreatedAt.UnixMilli(), m.Revision, m.Notify, m.Trace,
		}
	case e.Read != nil:
		r := e.Read
		w.Read = &wireRead{r.MessageID, r.ConversationID, r.Seq, r.ReadBy, r.At.UnixMilli(), r.To}
	case e.Typing != nil:
		w.Typing = &wireTyping{e.Typing.ConversationID, e.Typing.UserID, e.Typing.Typing}
	case e.Members != nil:
		m := e.Members
		w.Members = &wireMembers{m.ConversationID, m.Revision, m.Added, m.Removed}
	case e.Presence != nil:
		p := e.Presence
		w.Presence = &wirePresence{p.Change.UserID, p.Change.Online, p.Change.Version, p.Change.At.UnixMilli(), p.To, p.Asked}
	case e.Conflict != nil:
		x := e.Conflict
		w.Conflict = &wireConflict{x.UserID, x.ConversationID, x.ClientMessageID}
	case e.Settings != nil:
		w.Settings = &wireSettings{e.Settings.UserID}
	}
	return json.Marshal(w)
}

// join makes the bytes of a batch of encoded envelopes.
func join(encoded [][]byte) []byte {
	size := 1
	for _, e := range encoded {
		size += len(e) + 1
	}
	b := append(make([]byte, 0, size), '[')
	for i, e := range encoded {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, e...)
	}
	return append(b, ']')
}

// decode reads a batch. Its length is the number of envelopes that were sent, unknown kinds included.
func decode(batch []byte) ([]Envelope, error) {
	var wire []wireEnvelope
	if err := jsonv2.Unmarshal(batch, &wire); err != nil { // in half the time of encoding/json's
		return nil, fmt.Errorf("relay: decode a batch: %w", err)
	}
	out := make([]Envelope, len(wire))
	for i, w := range wire {
		out[i] = w.envelope()
	}
	return out, nil
}

func (w wireEnvelope) envelope() (e Envelope) {
	if m := w.Message; m != nil {
		e.Message = &Message{
			Message: chat.Message{
				ID: m.ID, ConversationID: m.ConversationID, Seq: m.Seq,
				Sender: chat.User{ID: m.SenderID, Username: m.SenderName},
				Text:   m.Text, AttachmentURLs: m.Attachments, ClientMessageID: m.ClientID, CreatedAt: millis(m.CreatedAt),
			},
			Revision: m.Revision, Notify: m.Notify, Trace: m.Trace,
		}
	}
	if r := w.Read; r != nil {
		e.Read = &Read{r.MessageID, r.ConversationID, r.Seq, r.ReadBy, millis(r.At), r.To}
	}
	if t := w.Typing; t != nil {
		e.Typing = &Typing{t.ConversationID, t.UserID, t.Typing}
	}
	if m := w.Members; m != nil {
		e.Members = &Members{m.ConversationID, m.Revision, m.Added, m.Removed}
	}
	if p := w.Presence; p != nil {
		e.Presence = &Presence{chat.PresenceChange{UserID: p.UserID, Online: p.Online, Version: p.Version, At: millis(p.At)}, p.To, p.Asked}
	}
	if x := w.Conflict; x != nil {
		e.Conflict = &Conflict{x.UserID, x.ConversationID, x.ClientMessageID}
	}
	if s := w.Settings; s != nil {
		e.Settings = &Settings{s.UserID}
	}
	return e
}

func millis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
