package client

import (
	"slices"
	"strconv"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/dozaar/dozaar/loadtest/history"
	"github.com/dozaar/dozaar/loadtest/wire"
)

// answerWithin is after how long an acknowledgement is not waited for any more.
const answerWithin = 15 * time.Second

// window is how many messages of one conversation a device has on their way at once.
const window = 4

// emit puts an event into what is to be written; id 0 asks for no acknowledgement. d.mu is held.
func (d *Device) emit(event string, payload any, id int) {
	b, _ := jsonv2.Marshal(payload) // our own payloads can all be encoded
	text := "42" + namespace
	if id > 0 {
		text += strconv.Itoa(id)
	}
	d.out = wire.AppendText(d.out, text+`["`+event+`",`+string(b)+`]`)
}

// ask is emit with an acknowledgement. d.mu is held.
func (d *Device) ask(event string, payload any, a *asked) {
	d.lastAsk++
	a.until = time.Now().Add(answerWithin)
	d.acks[d.lastAsk] = a
	d.emit(event, payload, d.lastAsk)
}

// agenda is when something is to be done next.
type agenda struct{ now, next time.Time }

// due tells whether at has come, and otherwise keeps it in mind.
func (a *agenda) due(at time.Time) bool {
	if !at.After(a.now) {
		return true
	}
	if a.next.IsZero() || at.Before(a.next) {
		a.next = at
	}
	return false
}

// work asks for what is wanted and can be asked for now. It returns what is to be written, taking spare in
// exchange, a conversation that has to be paged, and after how long to look again.
func (d *Device) work(spare []byte, now time.Time) (out []byte, page uuid.UUID, wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := &agenda{now: now}
	for id, asked := range d.acks {
		if a.due(asked.until) {
			d.Stats.Unanswered.Add(1)
			d.expire(id)
		}
	}
	for _, r := range d.order {
		d.visit(r, a)
		if r.pageTo > r.cursor && a.due(r.pageAt) {
			page = r.id
		}
	}
	for _, o := range slices.Clone(d.outbox) {
		switch r := d.room(o.Conversation); {
		case o.flying:
		case r.refused:
			d.drop(o)
		case r.joined && r.flying < window && a.due(o.tryAt):
			d.try(r, o)
		}
	}
	out, d.out = d.out, spare
	wait = time.Minute
	if !a.next.IsZero() {
		wait = a.next.Sub(now)
	}
	return out, page, wait
}

// visit brings a room to where it is wanted. d.mu is held.
func (d *Device) visit(r *room, a *agenda) {
	switch {
	case r.wanted && !r.refused && !r.joined && !r.joining && a.due(r.tryAt):
		r.joining, r.asked = true, history.NoCursor
		payload := join{ConversationID: r.id}
		if r.hasCursor {
			r.asked = r.cursor
			payload.AfterSeq = &r.asked
		}
		d.ask("join:conversation", payload, &asked{kind: joining, room: r})
	case !r.wanted && r.joined && !r.leaving && !r.joining && a.due(r.tryAt):
		r.leaving = true
		d.ask("leave:conversation", place{r.id}, &asked{kind: leaving, room: r})
	}
	if r.joined && !r.marking && r.mark.seq > r.marked && a.due(r.mark.tryAt) {
		r.marking = true
		d.record(history.Event{Kind: history.Mark, Conversation: r.id, Message: r.mark.message, Seq: r.mark.seq})
		d.ask("mark:read", mark{r.mark.message}, &asked{kind: marking, room: r, target: r.mark})
	}
}

// try sends a message, for the first time or again. d.mu is held.
func (d *Device) try(r *room, o *outgoing) {
	o.flying = true
	r.flying++
	if o.tries++; o.tries > 1 {
		d.Stats.Retried.Add(1)
	}
	e := history.Event{Kind: history.Send, Conversation: r.id, Client: o.Client, Body: o.body}
	if !o.Due.IsZero() {
		e.Due = time.Since(o.Due)
	}
	d.record(e)
	d.ask("send:message", send{o.Conversation, o.Text, o.Attachments, o.Client}, &asked{kind: sending, room: r, out: o})
}
