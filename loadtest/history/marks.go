package history

import "github.com/google/uuid"

type markKey struct{ user, message uuid.UUID }

// marks is where a user's read mark can be: at least at the greatest that was accepted, at most at the greatest
// that was asked for; one's own stored messages count as both.
type marks struct {
	accepted, asked, own int64
	told                 int64 // the greatest that a join told
}

func (m *marks) joined(readSeq int64) { m.told = max(m.told, readSeq) }
func (m *marks) least() int64         { return max(m.accepted, m.own) }
func (m *marks) most() int64          { return max(m.accepted, m.own, m.asked) }

func (c *Checker) mark(cv *conversation, e *Event) {
	user := cv.member(e.User)
	switch e.Kind {
	case Mark:
		c.verdict.Counts.Marks++
		user.marks.asked = max(user.marks.asked, e.Seq)
		cv.marked[markKey{e.User, e.Message}] = struct{}{}
	case Marked:
		if e.Outcome == OK {
			user.marks.accepted = max(user.marks.accepted, e.Seq)
		}
	case Seen:
		c.verdict.Counts.Seen++ // a sender is told of marks even when no longer a member
		c.seen(cv, e)
	}
}

// seen checks `message:read`, in which Sender is the reader.
func (c *Checker) seen(cv *conversation, e *Event) {
	if _, marked := cv.marked[markKey{e.Sender, e.Message}]; !marked {
		c.report(WrongMark, cv, e, "nobody marked this message as read")
		return
	}
	m := cv.byID[e.Message]
	if m == nil {
		return // marked by an id that nobody knows, which is refused or else found as phantom
	}
	if m.seq != 0 && m.seq != e.Seq {
		c.report(WrongMark, cv, e, "this message has the number %d", m.seq)
	}
	if e.User != m.sender && e.User != e.Sender {
		c.report(Foreign, cv, e, "a mark was told to somebody who is neither its reader nor the sender")
	}
}

// inbox checks one user's view of the conversation, at rest.
func (c *Checker) inbox(cv *conversation, e *Event) {
	m := cv.member(e.User)
	switch {
	case e.Outcome != OK:
		if m.certain && !m.leaving {
			c.report(WrongUnread, cv, e, "the conversation is not in a member's inbox")
		}
	case e.LastSeq != cv.head:
		c.report(WrongUnread, cv, e, "the inbox ends at %d, the history at %d", e.LastSeq, cv.head)
	case e.ReadSeq < m.marks.least():
		c.report(WrongMark, cv, e, "the mark is at %d, and was accepted, or moved by the user's own message, at %d", e.ReadSeq, m.marks.least())
	case e.ReadSeq > m.marks.most():
		c.report(WrongMark, cv, e, "the mark is at %d, and nobody read further than %d", e.ReadSeq, m.marks.most())
	case e.Missed != e.LastSeq-e.ReadSeq:
		c.report(WrongUnread, cv, e, "%d are unread, and read is %d of %d", e.Missed, e.ReadSeq, e.LastSeq)
	}
	if m.marks.told > m.marks.most() {
		c.report(WrongMark, cv, e, "a join told the mark %d, and nobody read further than %d", m.marks.told, m.marks.most())
		m.marks.told = 0
	}
}
