package main

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dozaar/dozaar/loadtest/history"
)

// talk is a history of ten messages a second for so long, each acknowledged and shown to another device after as long as late
// says for the moment at which it was due.
func talk(length time.Duration, late func(due time.Duration) (acked, shown time.Duration), remarks ...history.Event) history.Source {
	conversation, sender, other := uuid.New(), uuid.New(), uuid.New()
	events := append([]history.Event{{Kind: history.Joined, Conversation: conversation, Device: "b", User: other}}, remarks...)
	seq := int64(0)
	for due := time.Duration(0); due < length; due += time.Second / 10 {
		seq++
		acked, shown := late(due)
		e := history.Event{Conversation: conversation, Client: uuid.New(), Body: history.Body(seq)}
		send, answer, show := e, e, e
		send.Kind, send.Device, send.User, send.At, send.Due = history.Send, "a", sender, due+10*time.Millisecond, 10*time.Millisecond
		answer.Kind, answer.Device, answer.User, answer.At, answer.Outcome = history.Answer, "a", sender, due+acked, history.OK
		show.Kind, show.Device, show.User, show.Sender, show.At, show.Seq = history.Shown, "b", other, sender, due+shown, seq
		events = append(events, send, answer, show)
	}
	return history.Slice(events)
}

func remark(at time.Duration, note string) history.Event {
	return history.Event{Kind: history.Remark, At: at, Note: note}
}

func TestRecovery(t *testing.T) {
	const ms = time.Millisecond
	at := func(from, to time.Duration, acked, shown time.Duration) func(time.Duration) (time.Duration, time.Duration) {
		return func(due time.Duration) (time.Duration, time.Duration) {
			if due >= from && due < to {
				return acked, shown
			}
			return 20 * ms, 40 * ms
		}
	}
	fault, heal := remark(10*time.Second, faultMark+"x"), remark(14*time.Second, healMark+"x")
	for name, c := range map[string]struct {
		source   history.Source
		total    bool
		recovery time.Duration // -1: none
		outage   time.Duration
		relapses int
	}{
		"nothing noticed":             {source: talk(30*time.Second, at(0, 0, 0, 0), fault), recovery: 0},
		"late acknowledgements":       {source: talk(30*time.Second, at(10*time.Second, 13*time.Second, 1100*ms, 40*ms), fault), recovery: 3 * time.Second, outage: 3 * time.Second},
		"late deliveries":             {source: talk(30*time.Second, at(10*time.Second, 14*time.Second, 20*ms, 1100*ms), fault), recovery: 4 * time.Second, outage: 4 * time.Second},
		"counted from the healing":    {source: talk(30*time.Second, at(10*time.Second, 16*time.Second, 1100*ms, 1200*ms), fault, heal), total: true, recovery: 2 * time.Second, outage: 6 * time.Second},
		"well before the healing":     {source: talk(30*time.Second, at(10*time.Second, 12*time.Second, 1100*ms, 1200*ms), fault, heal), total: true, recovery: 0, outage: 2 * time.Second},
		"never":                       {source: talk(30*time.Second, at(10*time.Second, 40*time.Second, 1100*ms, 1200*ms), fault), recovery: -1, outage: 20 * time.Second},
		"not for long enough":         {source: talk(30*time.Second, at(10*time.Second, 26*time.Second, 1100*ms, 1200*ms), fault), recovery: -1, outage: 16 * time.Second},
		"late once more after a time": {source: talk(30*time.Second, at(20*time.Second, 21*time.Second, 1100*ms, 1200*ms), fault), recovery: 0, outage: time.Second, relapses: 2},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := measure(c.source, c.total)
			if err != nil {
				t.Fatal(err)
			}
			recovery := time.Duration(-1)
			if m.Recovery != nil {
				recovery = *m.Recovery
			}
			if recovery != c.recovery || m.Outage != c.outage || m.Relapses != c.relapses {
				t.Errorf("recovered in %s, outage %s, %d relapses; want %s, %s, %d", recovery, m.Outage, m.Relapses, c.recovery, c.outage, c.relapses)
			}
			if m.Quiet != 1 || m.Reached < 9 || m.Reached > 11 {
				t.Errorf("before the fault %g of the windows flow at %g/s", m.Quiet, m.Reached)
			}
		})
	}
}
