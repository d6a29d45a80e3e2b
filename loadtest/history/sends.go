package history

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// try is a message with one body, however often it was sent.
type try struct {
	body    Body
	device  *device       // that sent it last
	began   time.Duration // when it was first sent
	acked   time.Duration // when it was first accepted
	open    int           // tries without an answer
	ok      bool          // one was accepted
	unknown bool          // one may have been
	refused bool
	foreign bool // its sender was no member when it was first sent
}

func (m *message) try(body Body) *try {
	for i := range m.tries {
		if m.tries[i].body == body {
			return &m.tries[i]
		}
	}
	return nil
}

// wrote tells whether the try may have written something.
func (t *try) wrote() bool { return t.ok || t.unknown || t.open > 0 }

func (c *Checker) send(cv *conversation, d *device, e *Event) {
	c.verdict.Counts.Tries++
	k := keyOf(e.User, e.Client, e.Body)
	m := cv.byKey[k]
	if m == nil {
		m = cv.add(k)
		c.verdict.Counts.Sent++
	}
	t := m.try(e.Body)
	if t == nil {
		m.tries = append(m.tries, try{body: e.Body, began: e.At, foreign: c.foreign(cv, e)})
		t = &m.tries[len(m.tries)-1]
	}
	t.device = d
	t.open++
}

func (c *Checker) answer(cv *conversation, e *Event) {
	m := cv.byKey[keyOf(e.User, e.Client, e.Body)]
	if m == nil || m.try(e.Body) == nil {
		return // to a send that nobody wrote down
	}
	t := m.try(e.Body)
	t.open--
	switch e.Outcome {
	case OK:
		if !t.ok {
			t.ok, t.acked = true, e.At
			if t.foreign && c.foreign(cv, e) {
				c.report(Foreign, cv, e, "a message was accepted of a user who is no member")
			}
		}
		c.named(cv, m, e)
	case Unknown:
		t.unknown = true
	case Refused:
		t.refused = true
		if e.Code == "conflict" {
			c.conflict(cv, e)
		}
	}
}

// conflict takes the word that a client id was used with two bodies. Whether it was is seen at the end: the
// other body may have been sent by another device a moment ago.
func (c *Checker) conflict(cv *conversation, e *Event) {
	c.verdict.Counts.Conflicts++
	m := cv.byKey[keyOf(e.User, e.Client, e.Body)]
	if m == nil || e.Client == uuid.Nil {
		c.report(WrongConflict, cv, e, "of a message that was not sent, or that has no client id")
		return
	}
	m.told = true
}

// settleSends says what became of a message, now that the whole history is known.
func (c *Checker) settleSends(cv *conversation, m *message) {
	if ok := c.count(m); ok && m.stored == 0 {
		c.say(Lost, cv, m, "it was acknowledged and is not in the history")
	}
	if m.shown && m.stored == 0 {
		c.say(Unstored, cv, m, "it was shown and is not in the history")
	}
	if t := m.try(m.body); t != nil && (m.stored > 0 || m.shown) && !t.wrote() {
		c.say(RefusedStored, cv, m, "it was refused each time, and is there all the same")
	}
	c.settleConflict(cv, m)
}

// count counts what became of a message, and tells whether it was accepted.
func (c *Checker) count(m *message) (ok bool) {
	n := &c.verdict.Counts
	ok = slices.ContainsFunc(m.tries, func(t try) bool { return t.ok })
	switch {
	case m.phantom:
	case ok:
		n.Acked++
	case slices.ContainsFunc(m.tries, func(t try) bool { return t.wrote() }):
		n.Unknown++
	default:
		n.Refused++
	}
	return ok
}

func (c *Checker) settleConflict(cv *conversation, m *message) {
	if len(m.tries) < 2 {
		if m.told {
			c.say(WrongConflict, cv, m, "a conflict was told, and the client id has one body only")
		}
		return
	}
	for i := range m.tries {
		t := &m.tries[i]
		if m.stored > 0 && t.body != m.body && t.ok && !m.told && c.mustBeTold(t) {
			c.say(WrongConflict, cv, m, "another body was accepted under its client id, and nobody was told")
		}
		if first := &m.tries[0]; i > 0 && m.stored > 0 && first.ok && first.acked < t.began && m.body == t.body {
			c.say(WrongConflict, cv, m, "the first body was accepted before the second was sent, and the second stands")
		}
	}
}

// mustBeTold: the device that sent it stayed connected long enough to hear of it.
func (c *Checker) mustBeTold(t *try) bool {
	if until := t.acked + c.opts.ConflictWithin; !c.opts.ConflictsMayBeLost && until <= c.end {
		return !slices.ContainsFunc(t.device.downs, func(down time.Duration) bool { return down >= t.acked && down <= until })
	}
	return false
}
