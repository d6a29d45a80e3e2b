package history

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// store takes the next message of the final history.
func (c *Checker) store(cv *conversation, e *Event) {
	m := cv.byKey[keyOf(e.Sender, e.Client, e.Body)]
	if m != nil && m.stored > 0 {
		m.stored++
		c.report(Duplicated, cv, e, "it is in the history already, as number %d", m.seq)
		cv.final.at = max(cv.final.at, e.Seq)
		if cv.bySeq[e.Seq] == nil {
			cv.bySeq[e.Seq] = m
		}
		return
	}
	m = c.identify(cv, e)
	m.stored++
	m.body = e.Body
	before := cv.final.at
	switch cv.final.next(e.Seq, c.verdict.Counts.Events, e.At) {
	case late:
		c.report(Reordered, cv, e, "the history has it after number %d", before)
	case again:
		c.report(Duplicated, cv, e, "the history has this number already")
	}
	cv.unordered = cv.unordered || e.Seq <= before
	own := &cv.member(m.sender).marks.own
	*own = max(*own, e.Seq)
	cv.stored = append(cv.stored, m)
}

// Verdict says what there is to say once the last event has been taken. Call it once.
func (c *Checker) Verdict() Verdict {
	if len(c.order) == 0 {
		c.verdict.Incomplete = append(c.verdict.Incomplete, "there is no conversation in it")
	}
	if !c.complete {
		c.verdict.Incomplete = append(c.verdict.Incomplete, "it ends before everything was read back")
	}
	unread := 0
	for _, cv := range c.order {
		if c.opts.Unkept {
			c.settleHeard(cv)
			continue
		}
		if !cv.ended {
			unread++
			for _, m := range cv.messages {
				c.count(m)
			}
			continue
		}
		c.settle(cv)
	}
	if unread > 0 {
		c.verdict.Incomplete = append(c.verdict.Incomplete, fmt.Sprintf("the history of %d of %d conversations was not read back", unread, len(c.order)))
	}
	c.verdict.Duration = c.end
	for i := range c.verdict.Examples { // a number that was left out is some message's
		f := &c.verdict.Examples[i]
		if m := c.conversations[f.Conversation].bySeq[f.Seq]; m != nil && f.Message == uuid.Nil {
			f.Message, f.Client = m.id, m.client
		}
	}
	return c.verdict
}

func (c *Checker) settle(cv *conversation) {
	for i := range cv.early {
		e := &cv.early[i]
		if m := cv.byID[e.Message]; m == nil {
			c.report(Phantom, cv, e, "a notification of a message that nobody knows")
		} else if m.seq != e.Seq || m.sender != e.Sender {
			c.report(Disagreeing, cv, e, "a notification that has another number or sender than the message")
		}
	}
	for _, h := range cv.final.holes {
		c.add(Finding{Kind: Gap, Conversation: cv.id, Seq: h.from, At: h.time, Event: h.event, Text: span("is not in the history", h.from, h.to)})
	}
	if cv.final.at != cv.head {
		c.add(Finding{Kind: Gap, Conversation: cv.id, Seq: cv.head, At: c.end, Text: fmt.Sprintf("the history ends at %d, and the conversation says %d", cv.final.at, cv.head)})
	}
	for _, m := range cv.messages {
		c.settleSends(cv, m)
	}
	if !cv.unordered {
		c.inTime(cv)
	}
	for _, v := range cv.order {
		c.tail(v)
	}
	for i := range cv.inboxes {
		c.inbox(cv, &cv.inboxes[i])
	}
}

// inTime reports a message with a higher number than another that was first sent after it had been acknowledged:
// it was in the log already, so its number must be lower.
func (c *Checker) inTime(cv *conversation) {
	earliest, by := time.Duration(-1), int64(0) // the first acknowledgement of what has higher numbers
	for i := len(cv.stored) - 1; i >= 0; i-- {
		m := cv.stored[i]
		if m.phantom || len(m.tries) == 0 {
			continue
		}
		t := &m.tries[0]
		if earliest >= 0 && t.began > earliest {
			c.say(Reordered, cv, m, fmt.Sprintf("it was sent after number %d had been acknowledged", by))
		}
		if len(m.tries) == 1 && t.ok && (earliest < 0 || t.acked < earliest) {
			earliest, by = t.acked, m.seq
		}
	}
}

// span words a finding about one number or several.
func span(what string, from, to int64) string {
	if from == to {
		return fmt.Sprintf("number %d %s", from, what)
	}
	return fmt.Sprintf("numbers %d to %d: each %s", from, to, what)
}
