package client

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/dozaar/dozaar/loadtest/history"
	"github.com/dozaar/dozaar/loadtest/wire"
)

// packet takes one Engine.IO packet. An error ends the connection.
func (d *Device) packet(b []byte) error {
	d.mu.Lock()
	d.heard = time.Now()
	d.mu.Unlock()
	switch {
	case len(b) == 0:
		return errUnexpected
	case b[0] == 0:
		d.reply(wire.Pong, string(b[1:]))
		return nil
	case b[0] == '2':
		d.reply(wire.Text, "3"+string(b[1:]))
		return nil
	case b[0] == '1':
		return errTransport
	case b[0] == '6':
		return nil
	}
	if b[0] != '4' || len(b) < 2 {
		return fmt.Errorf("%w %.40q", errUnexpected, b)
	}
	kind := b[1]
	rest, ours := bytes.CutPrefix(b[2:], []byte(namespace))
	if !ours {
		return fmt.Errorf("%w %.40q", errUnexpected, b)
	}
	switch kind {
	case '1':
		return errSentAway
	case '2':
		return d.event(rest)
	case '3':
		return d.acknowledgement(rest)
	}
	return fmt.Errorf("%w %.40q", errUnexpected, b)
}

// reply answers a ping.
func (d *Device) reply(kind byte, payload string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.up != nil {
		d.up.heard()
		d.out = wire.AppendFrame(d.out, kind, payload)
		d.poke()
	}
}

func (d *Device) acknowledgement(b []byte) error {
	i := bytes.IndexByte(b, '[')
	if i < 1 {
		return errUnexpected
	}
	id, err := strconv.Atoi(string(b[:i]))
	if err != nil {
		return err
	}
	var args []acknowledgement
	if err := jsonv2.Unmarshal(b[i:], &args); err != nil || len(args) != 1 {
		return fmt.Errorf("%w: acknowledgement %.80q", errUnexpected, b)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.acks[id]
	d.answered(id, args[0])
	if a == nil || a.kind != sending || len(d.outbox) > 0 { // a message that is answered for good leaves nothing to do
		d.poke()
	}
	return nil
}

// event takes `["name",payload]`.
func (d *Device) event(b []byte) error {
	name, payload, ok := bytes.Cut(b, []byte(`",`))
	if !ok || len(name) < 3 || !bytes.HasPrefix(name, []byte(`["`)) || payload[len(payload)-1] != ']' {
		return fmt.Errorf("%w: event %.80q", errUnexpected, b)
	}
	payload = payload[:len(payload)-1]
	switch string(name[2:]) {
	case "new:message":
		return take(payload, d.shown)
	case "joined:conversation":
		return take(payload, d.joined)
	case "message:notification":
		return take(payload, d.notified)
	case "message:read":
		return take(payload, d.seen)
	case "exception":
		return take(payload, d.excepted)
	case "user:typing", "user:stopped_typing":
		d.Stats.Typing.Add(1)
	}
	return nil
}

func take[T any](payload []byte, do func(T)) error {
	var v T
	if err := jsonv2.Unmarshal(payload, &v); err != nil {
		return fmt.Errorf("%w: %w", errUnexpected, err)
	}
	do(v)
	return nil
}

func (d *Device) joined(j joined) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.room(j.ConversationID)
	d.record(history.Event{
		Kind: history.Joined, Conversation: r.id, AfterSeq: r.asked, LastSeq: j.LastSeq, ReadSeq: j.ReadSeq, Recovered: j.Recovered, Missed: j.Missed,
	})
	r.joined = true
	switch {
	case r.asked == history.NoCursor:
		r.cursor, r.hasCursor = j.LastSeq, true
	case !j.Recovered:
		r.pageTo, r.live = j.LastSeq, j.LastSeq
	}
	d.poke()
}

// came is a message as an event of the history.
func came(kind history.Kind, m Stored) history.Event {
	return history.Event{
		Kind: kind, Conversation: m.ConversationID, Seq: m.Seq, Message: m.ID, Client: m.ClientMessageID, Sender: m.SenderID,
		Body: history.BodyOf(m.Message, m.AttachmentURLs),
	}
}

// StoredEvent is a message of a history that was read as a whole.
func StoredEvent(m Stored) history.Event { return came(history.Stored, m) }

func (d *Device) shown(m Stored) {
	d.Stats.Shown.Add(1)
	d.mu.Lock()
	d.record(came(history.Shown, m))
	r := d.room(m.ConversationID)
	if r.pageTo > r.cursor {
		r.live = max(r.live, m.Seq)
	} else {
		r.cursor = max(r.cursor, m.Seq)
	}
	d.mu.Unlock()
	if d.OnShown != nil {
		d.OnShown(d, m)
	}
}

func (d *Device) notified(n notification) {
	d.Stats.Notified.Add(1)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.record(history.Event{Kind: history.Notified, Conversation: n.ConversationID, Seq: n.Seq, Message: n.MessageID, Sender: n.Sender.ID})
}

func (d *Device) seen(r read) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.record(history.Event{Kind: history.Seen, Conversation: r.ConversationID, Seq: r.Seq, Message: r.MessageID, Sender: r.ReadBy})
}

// excepted takes what no acknowledgement tells: that the device was put out of a room, and a late conflict.
func (d *Device) excepted(e exception) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case e.Event == "join:conversation" && e.Code == "not_found" && e.ConversationID != uuid.Nil:
		r := d.room(e.ConversationID)
		d.left(r)
		r.refused = true
		d.poke()
	case e.Code == "conflict" && e.ClientMessageID != uuid.Nil:
		d.record(history.Event{Kind: history.Conflict, Conversation: e.ConversationID, Client: e.ClientMessageID, Code: e.Code})
	}
}
