package history

import "time"

// sequence is how far something came in 1, 2, 3 …, and what was left out on the way.
type sequence struct {
	at    int64
	holes []hole
}

// hole is numbers that were skipped, and the event that skipped them.
type hole struct {
	from, to int64
	event    int64
	time     time.Duration
}

type step int

const (
	inOrder step = iota
	skipping
	late // it had been skipped
	again
)

func (s *sequence) next(seq, event int64, now time.Duration) step {
	switch {
	case seq == s.at+1:
		s.at = seq
		return inOrder
	case seq > s.at:
		s.holes = append(s.holes, hole{s.at + 1, seq - 1, event, now})
		s.at = seq
		return skipping
	}
	for i, h := range s.holes {
		if seq < h.from || seq > h.to {
			continue
		}
		rest := append([]hole(nil), s.holes[i+1:]...)
		s.holes = s.holes[:i]
		if h.from < seq {
			s.holes = append(s.holes, hole{h.from, seq - 1, h.event, h.time})
		}
		if seq < h.to {
			s.holes = append(s.holes, hole{seq + 1, h.to, h.event, h.time})
		}
		s.holes = append(s.holes, rest...)
		return late
	}
	return again
}

// view is what one device was shown of one conversation.
type view struct {
	cv     *conversation
	device *device
	user   *member
	joined bool
	epoch  int  // the connection of the last join
	known  bool // seen has a meaning
	seen   sequence
	// A join that was not recovered makes live count from its lastSeq, until pages have brought seen up to there.
	live *sequence
	from int64
	ears *ears // where nothing is numbered
}

func (c *Checker) view(cv *conversation, d *device) *view {
	v := cv.views[d]
	if v == nil {
		v = &view{cv: cv, device: d, user: cv.member(c.now.User)}
		cv.views[d] = v
		cv.order = append(cv.order, v)
		d.views = append(d.views, v)
	}
	return v
}

// join begins a stay in the room, or goes on with it where the device asked twice on one connection.
func (c *Checker) join(cv *conversation, d *device, e *Event) {
	v := c.view(cv, d)
	if c.opts.Unkept {
		v.joined = true
		v.arrive(e.At)
		return
	}
	goesOn := v.joined && v.epoch == d.epoch
	if !goesOn {
		c.leave(v)
	}
	switch {
	case e.AfterSeq == NoCursor:
		if !goesOn {
			v.seen, v.live = sequence{at: e.LastSeq}, nil
		}
	default:
		c.cursor(v, e)
		if !goesOn {
			v.seen, v.live = sequence{at: e.AfterSeq}, nil
		}
		if e.Recovered && e.Missed > 0 {
			c.verdict.Counts.Replays++
		}
		if !e.Recovered {
			c.verdict.Counts.Unrecovered++
			v.from, v.live = e.LastSeq, &sequence{at: e.LastSeq}
		}
	}
	v.joined, v.known, v.epoch = true, true, d.epoch
	v.user.marks.joined(e.ReadSeq)
}

// cursor checks what a join said against what the device has.
func (c *Checker) cursor(v *view, e *Event) {
	has := max(v.seen.at, e.AfterSeq)
	switch {
	case v.known && e.AfterSeq > v.seen.at:
		c.report(Gap, v.cv, e, "it had been shown up to %d, and goes on after %d", v.seen.at, e.AfterSeq)
	case e.LastSeq < has:
		c.report(Backwards, v.cv, e, "the newest message is said to be %d, and the device has %d", e.LastSeq, has)
	case e.Missed != max(0, e.LastSeq-e.AfterSeq):
		c.report(Gap, v.cv, e, "%d messages are said to be missed from %d to %d", e.Missed, e.AfterSeq, e.LastSeq)
	}
}

// leave ends a stay; what was skipped in it will not come any more.
func (c *Checker) leave(v *view) {
	v.joined = false
	v.depart(c.end)
	c.gaps(v, &v.seen)
	if v.live != nil {
		c.gaps(v, v.live)
	}
}

func (c *Checker) gaps(v *view, s *sequence) {
	for _, h := range s.holes {
		c.add(Finding{
			Kind: Gap, Conversation: v.cv.id, Seq: h.from, Devices: []string{v.device.name}, At: h.time, Event: h.event,
			Text: span("was not shown", h.from, h.to),
		})
	}
	s.holes = nil
}

func (c *Checker) show(v *view, e *Event) {
	if !v.joined {
		c.report(Uninvited, v.cv, e, "a message came to a device that has not joined")
		return
	}
	s := &v.seen
	if v.live != nil {
		s = v.live
	}
	c.take(v, s, e)
}

func (c *Checker) page(v *view, e *Event) {
	if v.live == nil {
		return // it had no need to
	}
	c.take(v, &v.seen, e)
	if v.seen.at >= v.from {
		v.seen = sequence{at: max(v.seen.at, v.live.at), holes: append(v.seen.holes, v.live.holes...)}
		v.live = nil
	}
}

func (c *Checker) take(v *view, s *sequence, e *Event) {
	before := s.at
	switch s.next(e.Seq, c.verdict.Counts.Events, e.At) {
	case late:
		c.report(Reordered, v.cv, e, "it came after number %d", before)
	case again:
		c.report(Duplicated, v.cv, e, "the device had been shown everything up to %d", before)
	}
}

// tail reports what a device that is connected and joined has not been shown in the end.
func (c *Checker) tail(v *view) {
	live := v.joined && v.device.connected && v.user.in && !v.user.leaving
	c.leave(v)
	if live && v.seen.at < v.cv.head {
		c.add(Finding{
			Kind: Gap, Conversation: v.cv.id, Seq: v.seen.at + 1, Devices: []string{v.device.name}, At: c.end,
			Text: span("was never shown, to the end", v.seen.at+1, v.cv.head),
		})
	}
}
