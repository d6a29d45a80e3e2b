package history

import "time"

// Where a product numbers and keeps nothing (Options.Unkept) there is only what devices were shown: each that was in the
// room from before a message was sent must have been shown it once, and after what had been acknowledged by then.

// stay is a time in a room without a break.
type stay struct {
	from, to time.Duration
	ended    bool
}

// ears is what one device was shown of one conversation.
type ears struct {
	stays  []stay
	heard  map[*message]struct{}
	latest time.Duration // when that of them was first sent that was sent last
}

func (v *view) arrive(at time.Duration) {
	if v.ears == nil {
		v.ears = &ears{heard: map[*message]struct{}{}}
	}
	if n := len(v.ears.stays); n == 0 || v.ears.stays[n-1].ended {
		v.ears.stays = append(v.ears.stays, stay{from: at})
	}
}

func (v *view) depart(at time.Duration) {
	if v.ears == nil {
		return
	}
	if last := &v.ears.stays[len(v.ears.stays)-1]; !last.ended {
		last.to, last.ended = at, true
	}
}

// hear takes a message that a device was shown.
func (c *Checker) hear(cv *conversation, v *view, e *Event) {
	m := cv.byKey[keyOf(e.Sender, e.Client, e.Body)]
	switch {
	case !v.joined:
		c.report(Uninvited, cv, e, "a message came to a device that has not joined")
		return
	case m == nil:
		c.report(Phantom, cv, e, "nobody sent this message")
		return
	case m.try(e.Body) == nil:
		c.report(Altered, cv, e, "its body is not what was sent")
		return
	}
	if v.ears.has(m) {
		c.report(Duplicated, cv, e, "the device had been shown it")
		return
	}
	v.ears.heard[m] = struct{}{}
	t := &m.tries[0]
	if t.ok && t.acked < v.ears.latest {
		c.report(Reordered, cv, e, "it came after one that was sent when this one had been acknowledged")
	}
	v.ears.latest = max(v.ears.latest, t.began)
}

// settleHeard says who was not shown what, now that everything is over.
func (c *Checker) settleHeard(cv *conversation) {
	for _, m := range cv.messages {
		c.count(m)
		for i := range m.tries {
			t := &m.tries[i]
			if !t.ok {
				continue
			}
			for _, v := range cv.order {
				if v.ears != nil && !v.ears.has(m) && v.ears.owed(t) {
					c.add(Finding{
						Kind: Lost, Conversation: cv.id, Client: m.client, User: m.sender, Devices: []string{v.device.name}, At: c.end,
						Text: "it was acknowledged, and a device that was there was not shown it",
					})
				}
			}
		}
	}
}

func (e *ears) has(m *message) bool {
	_, heard := e.heard[m]
	return heard
}

// arrivesWithin is how much later than its acknowledgement a message may come; who left before that is owed nothing.
const arrivesWithin = 5 * time.Second

// owed tells whether the device was there from before the message was sent until it should have come.
func (e *ears) owed(t *try) bool {
	for _, s := range e.stays {
		if s.from <= t.began && (!s.ended || s.to > t.acked+arrivesWithin) {
			return true
		}
	}
	return false
}
