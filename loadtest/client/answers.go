package client

import (
	"time"

	"github.com/dozaar/dozaar/loadtest/history"
)

type purpose int

const (
	joining purpose = iota
	leaving
	sending
	marking
	probing
)

// asked is a request whose acknowledgement has not come.
type asked struct {
	kind   purpose
	room   *room
	out    *outgoing
	target target
	until  time.Time
}

// outcome is what an answer leaves open.
func (a acknowledgement) outcome() history.Outcome {
	switch {
	case a.OK:
		return history.OK
	case a.Code == "unavailable" || a.Code == "internal" || a.Code == "":
		return history.Unknown
	}
	return history.Refused
}

// answered takes an acknowledgement. d.mu is held.
func (d *Device) answered(id int, ack acknowledgement) {
	a := d.acks[id]
	if a == nil {
		return // too late
	}
	delete(d.acks, id)
	switch a.kind {
	case joining:
		d.joinAnswered(a.room, ack)
	case leaving:
		a.room.leaving = false
		if !ack.OK {
			a.room.tryAt = d.in(time.Second)
			if ack.Code == "" && d.up != nil { // nobody knows whether it is in the room, before the connection has ended
				_ = d.up.conn.Close()
			}
			return
		}
		d.left(a.room)
		a.room.hasCursor = !a.room.forget
	case sending:
		a.room.flying--
		d.sendAnswered(a.out, ack)
	case marking:
		d.markAnswered(a.room, a.target, ack)
	}
}

// expire gives up waiting for an answer: it may have been done or not. d.mu is held.
func (d *Device) expire(id int) {
	a := d.acks[id]
	if a.kind == probing && d.up != nil && time.Since(d.heard) > answerWithin {
		_ = d.up.conn.Close()
	}
	if a.kind == joining && a.room.joined {
		a.until = time.Now().Add(answerWithin) // `joined:conversation` came, and the replay may still go on, or fail
		return
	}
	d.answered(id, acknowledgement{})
}

// in is a moment about so far ahead.
func (d *Device) in(about time.Duration) time.Time {
	return time.Now().Add(about/2 + time.Duration(d.random.Int64N(int64(about))))
}

func (d *Device) joinAnswered(r *room, ack acknowledgement) {
	r.joining = false
	if ack.OK {
		r.refusals = 0
		return
	}
	if r.joined { // the replay failed, which puts the socket out again
		d.left(r)
	}
	r.tryAt = d.in(time.Second)
	if ack.Code == "not_found" || ack.Code == "forbidden" || ack.Code == "invalid" {
		r.refusals++
		r.refused = r.refusals >= 5 // a member of just now may not be known everywhere
	}
}

func (d *Device) left(r *room) {
	if r.joined {
		r.out()
		d.record(history.Event{Kind: history.Left, Conversation: r.id})
	}
}

func (d *Device) sendAnswered(o *outgoing, ack acknowledgement) {
	o.flying = false
	outcome := ack.outcome()
	d.record(history.Event{
		Kind: history.Answer, Conversation: o.Conversation, Client: o.Client, Body: o.body, Message: ack.MessageID, Outcome: outcome, Code: ack.Code,
	})
	nameless := o.Client == [16]byte{}
	switch {
	case outcome == history.OK:
		d.Stats.Acked.Add(1)
		d.drop(o)
	case outcome == history.Unknown && nameless:
		d.drop(o)
	case outcome == history.Unknown:
		if d.up != nil {
			o.tryAt = d.in(time.Second)
		}
	case ack.Code == "not_joined":
		r := d.room(o.Conversation)
		d.left(r)
		o.tryAt = d.in(time.Second / 4)
	case ack.Code == "rate_limited" || ack.Code == "unauthorized" || ack.Code == "token_expired":
		o.tryAt = d.in(2 * time.Second)
	default:
		d.Stats.Refused.Add(1)
		d.drop(o)
	}
}

func (d *Device) markAnswered(r *room, t target, ack acknowledgement) {
	r.marking = false
	outcome := ack.outcome()
	d.record(history.Event{Kind: history.Marked, Conversation: r.id, Message: t.message, Seq: t.seq, Outcome: outcome, Code: ack.Code})
	switch {
	case outcome == history.OK:
		r.marked = max(r.marked, t.seq)
	case outcome == history.Unknown || ack.Code == "rate_limited":
		r.mark.tryAt = d.in(time.Second)
	case r.mark.message == t.message:
		r.mark = target{seq: r.marked} // it is not wanted again
	}
}
