package history

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// world is a chat server as it should be, with clients who write down what they see of it. choose(n)
// decides, 0 ≤ choice < n, what happens next, so that either rapid or a plain random source can.
type world struct {
	choose        func(n int) int
	emit          func(Event)
	at            time.Duration
	ids           int
	conversations []*worldConversation
	devices       []*worldDevice
}

type worldMessage struct {
	seq        int64
	id, client uuid.UUID
	sender     uuid.UUID
	body       Body
	other      Body // the second body of the client id, 0: there is none
	retry      bool
}

type worldConversation struct {
	id       uuid.UUID
	log      []worldMessage
	members  []uuid.UUID // two, and a guest who comes and goes
	guest    bool
	guestOut time.Duration
	marks    map[uuid.UUID]int64
	retries  []worldRetry
}

type worldRetry struct {
	device *worldDevice
	worldMessage
}

// worldDevice is in one conversation.
type worldDevice struct {
	name      string
	user      uuid.UUID
	cv        *worldConversation
	connected bool
	joined    bool
	cursor    int64 // what it has
	sent      int64 // up to where the server has sent it live
	pageTo    int64 // above cursor: it has to page that far
	unread    []worldMessage
}

// worldReplay is how many messages a join of this server replays.
const worldReplay = 6

func newWorld(conversations int, choose func(int) int, emit func(Event)) *world {
	w := &world{choose: choose, emit: emit}
	for range conversations {
		cv := &worldConversation{id: w.id('c'), marks: map[uuid.UUID]int64{}}
		w.conversations = append(w.conversations, cv)
		for range 3 {
			cv.members = append(cv.members, w.id('u'))
		}
		for _, user := range cv.members[:2] {
			w.tell(cv, Event{Kind: Admitting, User: user})
			w.tell(cv, Event{Kind: Admitted, User: user, Outcome: OK})
		}
		for i := range 4 { // the first user has two, the guest one
			user := cv.members[i%3]
			w.devices = append(w.devices, &worldDevice{name: fmt.Sprintf("d%d", len(w.devices)), user: user, cv: cv})
		}
	}
	return w
}

func (w *world) id(kind byte) (id uuid.UUID) {
	w.ids++
	id[0], id[12], id[13], id[14], id[15] = kind, byte(w.ids>>24), byte(w.ids>>16), byte(w.ids>>8), byte(w.ids)
	return id
}

func (w *world) tell(cv *worldConversation, e Event) {
	w.at += time.Millisecond
	e.At = w.at
	if cv != nil {
		e.Conversation = cv.id
	}
	w.emit(e)
}

func (d *worldDevice) event(kind Kind, m worldMessage) Event {
	return Event{Kind: kind, Device: d.name, User: d.user, Seq: m.seq, Message: m.id, Client: m.client, Sender: m.sender, Body: m.body}
}

// step lets one device do or see something.
func (w *world) step() {
	d := w.devices[w.choose(len(w.devices))]
	member := slices.Contains(d.cv.members[:2], d.user) || d.cv.guest
	switch act := w.choose(16); {
	case !d.connected:
		d.connected = true
		w.tell(nil, Event{Kind: Connected, Device: d.name, User: d.user})
	case !d.joined && member:
		w.join(d, d.cursor > 0 || act > 2)
	case act < 5:
		w.show(d)
	case act < 6:
		w.page(d)
	case act < 10 && d.joined && member:
		w.send(d)
	case act < 11 && len(d.cv.retries) > 0:
		w.retry(d.cv)
	case act < 12 && len(d.unread) > 0:
		w.read(d)
	case act < 13:
		w.cut(d)
	case act < 14 && d.joined:
		d.joined = false
		w.tell(d.cv, Event{Kind: Left, Device: d.name, User: d.user})
	case act < 15:
		w.guest(d.cv)
	default:
		w.at += time.Duration(w.choose(3000)) * time.Millisecond
	}
	for _, d := range w.devices { // a removed guest's device is put out in time
		if d.joined && d.user == d.cv.members[2] && !d.cv.guest && (w.at > d.cv.guestOut+3*time.Second || w.choose(4) == 0) {
			d.joined = false
			w.tell(d.cv, Event{Kind: Left, Device: d.name, User: d.user})
		}
	}
}

func (w *world) cut(d *worldDevice) {
	d.connected, d.joined = false, false
	if d.pageTo > d.cursor {
		d.pageTo = 0 // what came live after the hole is forgotten
	}
	w.tell(nil, Event{Kind: Disconnected, Device: d.name, User: d.user})
}

func (w *world) join(d *worldDevice, withCursor bool) {
	last := int64(len(d.cv.log))
	e := Event{Kind: Joined, Device: d.name, User: d.user, LastSeq: last, ReadSeq: d.cv.marks[d.user], AfterSeq: NoCursor, Recovered: true}
	d.joined, d.pageTo, d.sent = true, 0, last
	if withCursor {
		e.AfterSeq, e.Missed = d.cursor, last-d.cursor
		d.sent = d.cursor
		if e.Recovered = e.Missed <= worldReplay; !e.Recovered {
			d.pageTo, d.sent = last, last
		}
	} else {
		d.cursor = last
	}
	w.tell(d.cv, e)
}

func (w *world) show(d *worldDevice) {
	if !d.joined || d.sent >= int64(len(d.cv.log)) {
		return
	}
	m := d.cv.log[d.sent]
	d.sent++
	if d.pageTo <= d.cursor {
		d.cursor = d.sent
	}
	w.tell(d.cv, d.event(Shown, m))
	if m.sender != d.user {
		d.unread = append(d.unread, m)
	}
}

func (w *world) page(d *worldDevice) {
	if d.pageTo <= d.cursor || !d.joined {
		return
	}
	w.tell(d.cv, d.event(Paged, d.cv.log[d.cursor]))
	if d.cursor++; d.cursor == d.pageTo {
		d.cursor = d.sent
	}
}

// send lets a device send a message: it is stored or not, and answered or not.
func (w *world) send(d *worldDevice) {
	m := worldMessage{client: w.id('k'), sender: d.user, body: Body(w.ids)}
	if w.choose(4) == 0 {
		m.client = uuid.Nil
	}
	e := d.event(Send, m)
	e.Sender = uuid.Nil
	w.tell(d.cv, e)
	e.Kind = Answer
	fate := w.choose(10)
	switch {
	case fate < 6:
		w.accept(d.cv, &m)
		e.Message, e.Outcome = m.id, OK
	case fate == 6: // stored, but nobody knows
		w.accept(d.cv, &m)
		m.retry = true
	case fate == 7:
		m.retry = true
	case fate == 8:
		e.Outcome, e.Code = Refused, "rate_limited"
	case m.client != uuid.Nil: // and then once more with another body
		w.accept(d.cv, &m)
		e.Message, e.Outcome = m.id, OK
		m.other, m.retry = Body(w.ids+1<<32), true
	}
	w.tell(d.cv, e)
	if m.retry && m.client != uuid.Nil {
		d.cv.retries = append(d.cv.retries, worldRetry{d, m})
	}
}

func (w *world) accept(cv *worldConversation, m *worldMessage) {
	m.seq, m.id = int64(len(cv.log)+1), w.id('m')
	cv.log = append(cv.log, *m)
	cv.marks[m.sender] = max(cv.marks[m.sender], m.seq)
	for _, d := range w.devices {
		if d.cv == cv && d.connected && !d.joined && d.user != m.sender && (d.user != cv.members[2] || cv.guest) {
			e := d.event(Notified, *m)
			e.Client, e.Body = uuid.Nil, 0
			w.tell(cv, e)
		}
	}
}

// retry lets a device try again, or try another body.
func (w *world) retry(cv *worldConversation) {
	r := cv.retries[0]
	cv.retries = cv.retries[1:]
	if r.device.user == cv.members[2] && !cv.guest { // it would be refused
		return
	}
	e := r.device.event(Send, r.worldMessage)
	e.Seq, e.Message, e.Sender = 0, uuid.Nil, uuid.Nil
	if r.other != 0 {
		e.Body = r.other
	}
	w.tell(cv, e)
	if r.seq == 0 {
		w.accept(cv, &r.worldMessage)
	}
	e.Kind, e.Message, e.Outcome = Answer, r.id, OK
	told := r.other != 0 && w.choose(2) == 0
	if told {
		e.Message, e.Outcome, e.Code = uuid.Nil, Refused, "conflict"
	}
	w.tell(cv, e)
	if r.other != 0 && !told {
		e.Kind, e.Message, e.Outcome, e.Code, e.Body = Conflict, uuid.Nil, 0, "conflict", 0
		w.tell(cv, e)
	}
}

func (w *world) read(d *worldDevice) {
	if d.user == d.cv.members[2] && !d.cv.guest {
		return
	}
	m := d.unread[w.choose(len(d.unread))]
	d.unread = d.unread[:0]
	e := Event{Kind: Mark, Device: d.name, User: d.user, Message: m.id, Seq: m.seq}
	w.tell(d.cv, e)
	e.Kind = Marked
	fate := w.choose(4)
	if fate > 0 {
		e.Outcome = OK
	}
	w.tell(d.cv, e)
	if fate == 1 {
		d.cv.marks[d.user] = max(d.cv.marks[d.user], m.seq)
	}
	if fate < 2 {
		return
	}
	d.cv.marks[d.user] = max(d.cv.marks[d.user], m.seq)
	for _, other := range w.devices {
		if other.connected && other != d && (other.user == m.sender || other.user == d.user) {
			w.tell(d.cv, Event{Kind: Seen, Device: other.name, User: other.user, Message: m.id, Seq: m.seq, Sender: d.user})
		}
	}
}

func (w *world) guest(cv *worldConversation) {
	asked, done := Admitting, Admitted
	if cv.guest {
		asked, done = Expelling, Expelled
	}
	w.tell(cv, Event{Kind: asked, User: cv.members[2]})
	w.tell(cv, Event{Kind: done, User: cv.members[2], Outcome: OK})
	if cv.guest = !cv.guest; !cv.guest {
		cv.guestOut = w.at
	}
}

// finish brings everything to rest, reads it back and lets the devices go.
func (w *world) finish() {
	for _, cv := range w.conversations {
		for len(cv.retries) > 0 {
			w.retry(cv)
		}
	}
	for _, d := range w.devices {
		if d.joined && d.user == d.cv.members[2] && !d.cv.guest {
			d.joined = false
			w.tell(d.cv, Event{Kind: Left, Device: d.name, User: d.user})
		}
		for d.joined && (d.sent < int64(len(d.cv.log)) || d.pageTo > d.cursor) {
			w.show(d)
			w.page(d)
		}
	}
	w.at += 20 * time.Second
	w.tell(nil, Event{Kind: Settled, Outcome: OK})
	for _, cv := range w.conversations {
		for _, m := range cv.log {
			w.tell(cv, Event{Kind: Stored, Seq: m.seq, Message: m.id, Client: m.client, Sender: m.sender, Body: m.body})
		}
		last := int64(len(cv.log))
		w.tell(cv, Event{Kind: End, LastSeq: last})
		for i, user := range cv.members {
			e := Event{Kind: Inbox, User: user, Outcome: OK, LastSeq: last, ReadSeq: cv.marks[user], Missed: last - cv.marks[user]}
			if i == 2 && !cv.guest {
				e = Event{Kind: Inbox, User: user, Outcome: Refused}
			}
			w.tell(cv, e)
		}
	}
	for _, d := range w.devices { // as the load does
		if d.connected {
			w.cut(d)
		}
	}
}
