package history

import (
	"time"

	"github.com/google/uuid"
)

// Options are what a check takes from the contract's times. The zero value is the contract.
type Options struct {
	// RemovedWithin is for how long a removed member may still be shown messages. 0: the contract's five
	// seconds, and one for the client that notes the time.
	RemovedWithin time.Duration
	// ConflictWithin is how soon a sender must have been told that a client id was used with another body. 0: ten seconds.
	ConflictWithin time.Duration
	// ConflictsMayBeLost: nobody needs to be told. For a run in which Redis, which carries that word, is killed.
	ConflictsMayBeLost bool
	// Unkept: the product numbers and keeps nothing, so only what devices were shown is judged.
	Unkept bool
	// Examples is how many findings of each kind are kept with their events; all are counted. 0: ten.
	Examples int
}

func (o Options) withDefaults() Options {
	if o.RemovedWithin == 0 {
		o.RemovedWithin = 6 * time.Second
	}
	if o.ConflictWithin == 0 {
		o.ConflictWithin = 10 * time.Second
	}
	if o.Examples == 0 {
		o.Examples = 10
	}
	return o
}

// Checker takes the events of a history in the order in which they were written.
type Checker struct {
	opts          Options
	now           *Event // the event that is being taken, nil at the end
	end           time.Duration
	settled       bool // everything has come to rest, or was given up
	complete      bool // everything was read back
	devices       map[string]*device
	conversations map[uuid.UUID]*conversation
	order         []*conversation // as they were first heard of
	verdict       Verdict
}

// device is one client over all its connections.
type device struct {
	name      string
	connected bool
	epoch     int             // counts its connections
	downs     []time.Duration // when it lost them
	views     []*view
}

// conversation is what is known of one, over all devices.
type conversation struct {
	id        uuid.UUID
	messages  []*message // as they were first heard of
	byKey     map[key]*message
	byID      map[uuid.UUID]*message
	bySeq     map[int64]*message
	views     map[*device]*view
	order     []*view
	members   map[uuid.UUID]*member
	marked    map[markKey]struct{}
	early     []Event    // notifications of messages that are not known yet
	stored    []*message // the final history, in its order
	final     sequence
	unordered bool // the final history did not come in the order of numbers
	head      int64
	ended     bool
	inboxes   []Event
}

// member is one user's standing in a conversation.
type member struct {
	in, leaving bool
	certain     bool          // the server answered that it is in
	out         time.Duration // since when not in
	marks       marks
}

// NewChecker begins a check.
func NewChecker(o Options) *Checker {
	return &Checker{
		opts: o.withDefaults(), devices: map[string]*device{}, conversations: map[uuid.UUID]*conversation{},
		verdict: Verdict{Findings: map[Fault]int{}},
	}
}

// Check reads a history, and where it finds something reads it again for the events that prove it.
func Check(source Source, o Options) (Verdict, error) {
	c := NewChecker(o)
	for e, err := range source() {
		if err != nil {
			c.verdict.Incomplete = append(c.verdict.Incomplete, err.Error())
			return c.Verdict(), err
		}
		c.Add(e)
	}
	v := c.Verdict()
	return v, v.prove(source)
}

// Add takes the next event.
func (c *Checker) Add(e Event) {
	c.now, c.end = &e, e.At
	c.verdict.Counts.Events++
	d := c.device(e.Device)
	switch e.Kind {
	case Connected:
		d.connected = true
		d.epoch++
		if c.verdict.Counts.Connects++; d.epoch > 1 {
			c.verdict.Counts.Reconnects++
		}
	case Disconnected:
		d.downs = append(d.downs, e.At)
		if c.settled {
			break // the load lets it go; what it had not been shown by then is judged all the same
		}
		d.connected = false
		for _, v := range d.views {
			c.leave(v)
		}
	case Settled, Remark:
		c.settled = c.settled || e.Kind == Settled
		if e.Kind == Settled && e.Outcome != OK {
			c.verdict.Incomplete = append(c.verdict.Incomplete, "what was found may still have been under way: "+e.Note)
		}
		c.verdict.Remarks = append(c.verdict.Remarks, e)
	case Complete:
		c.complete = true
	default:
		c.about(c.conversation(e.Conversation), d, &e)
	}
	c.now = nil
}

// about takes an event of one conversation.
func (c *Checker) about(cv *conversation, d *device, e *Event) {
	n := &c.verdict.Counts
	switch e.Kind {
	case Send:
		c.send(cv, d, e)
	case Answer:
		c.answer(cv, e)
	case Conflict:
		c.conflict(cv, e)
	case Joined:
		n.Joins++
		c.entitled(cv, e)
		c.join(cv, d, e)
	case Left:
		c.leave(c.view(cv, d))
	case Shown:
		n.Shown++
		c.entitled(cv, e)
		if c.opts.Unkept {
			c.hear(cv, c.view(cv, d), e)
			break
		}
		c.identify(cv, e).shown = true
		c.show(c.view(cv, d), e)
	case Paged:
		n.Paged++
		c.entitled(cv, e)
		c.identify(cv, e).shown = true
		c.page(c.view(cv, d), e)
	case Looked:
		n.Looked++
		c.entitled(cv, e)
		c.identify(cv, e).shown = true
	case Notified:
		n.Notified++
		c.entitled(cv, e)
		if !c.opts.Unkept {
			c.notified(cv, e)
		}
	case Mark, Marked, Seen:
		c.mark(cv, e)
	case Admitting, Admitted, Expelling, Expelled:
		c.membership(cv, e)
	case Stored:
		n.Stored++
		c.store(cv, e)
	case End:
		cv.ended, cv.head = true, e.LastSeq
	case Inbox:
		if e.Outcome == OK {
			c.entitled(cv, e)
		}
		cv.inboxes = append(cv.inboxes, *e)
	}
}

func (c *Checker) device(name string) *device {
	d := c.devices[name]
	if d == nil {
		d = &device{name: name}
		c.devices[name] = d
		if name != "" {
			c.verdict.Counts.Devices++
		}
	}
	return d
}

func (c *Checker) conversation(id uuid.UUID) *conversation {
	cv := c.conversations[id]
	if cv == nil {
		cv = &conversation{
			id: id, byKey: map[key]*message{}, byID: map[uuid.UUID]*message{}, bySeq: map[int64]*message{},
			views: map[*device]*view{}, members: map[uuid.UUID]*member{}, marked: map[markKey]struct{}{},
		}
		c.conversations[id] = cv
		c.order = append(c.order, cv)
		c.verdict.Counts.Conversations++
	}
	return cv
}

func (cv *conversation) member(user uuid.UUID) *member {
	m := cv.members[user]
	if m == nil {
		m = &member{out: -1 << 60}
		cv.members[user] = m
	}
	return m
}

// membership counts in the user's favour: a member from when that was asked for, none from when it was answered.
func (c *Checker) membership(cv *conversation, e *Event) {
	m := cv.member(e.User)
	switch e.Kind {
	case Admitting:
		m.certain = m.certain && m.in && !m.leaving
		m.in, m.leaving = true, false
		c.verdict.Counts.Admissions++
	case Admitted:
		m.certain = m.certain || e.Outcome == OK
	case Expelling:
		m.leaving = true
		c.verdict.Counts.Expulsions++
	case Expelled:
		if m.in && m.leaving && e.Outcome == OK {
			m.in, m.out = false, e.At
		}
	}
}

// entitled reports what came to somebody who is no member.
func (c *Checker) entitled(cv *conversation, e *Event) {
	if c.foreign(cv, e) {
		c.report(Foreign, cv, e, "%s came to a user who is no member", e.Kind)
	}
}

// foreign tells whether the event's user is no member, and everybody must know.
func (c *Checker) foreign(cv *conversation, e *Event) bool {
	m := cv.members[e.User]
	return m == nil || !m.in && e.At > m.out+c.opts.RemovedWithin
}
