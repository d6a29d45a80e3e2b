package client

import (
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/dozaar/dozaar/loadtest/history"
	"github.com/dozaar/dozaar/loadtest/wire"
)

// Config is what a device is.
type Config struct {
	Name     string
	User     uuid.UUID
	Gateways []string // base URLs; the first connection goes to the first, later ones to any
	Token    func() string
	HTTP     *http.Client // for pages
	Record   func(history.Event)
	Stats    *Stats
	Seed     uint64
	// Speed is how many bytes a second the device reads, until it is told to Hurry; 0: as many as come.
	Speed int64
	// Forgetful has the device forget with its connection what it has been shown, as a page does that is loaded anew.
	Forgetful bool
	// OnShown is called for each message that is shown or paged, in order, with nothing locked. May be nil.
	OnShown func(*Device, Stored)
}

// Stats are counted over all devices that share them.
type Stats struct {
	Connected                                          atomic.Int64 // now
	Reconnects, Sent, Retried, Acked, Refused, Shown   atomic.Int64
	Paged, Notified, Typing, Unanswered, ConnectErrors atomic.Int64
}

// Device is a client of one user. Its methods may be called from anywhere, before and during Run.
type Device struct {
	Config
	wake  chan struct{} // capacity 1: there may be something to do
	speed atomic.Int64

	mu      sync.Mutex // guards what follows
	random  *rand.Rand
	backoff wire.Backoff
	rooms   map[uuid.UUID]*room
	order   []*room
	outbox  []*outgoing
	out     []byte // frames to be written
	up      *socket
	heard   time.Time // when anything last came
	epoch   int       // counts the connections
	acks    map[int]*asked
	lastAsk int
}

// room is a device's place in a conversation.
type room struct {
	id        uuid.UUID
	wanted    bool
	refused   bool // it is not ours, says the server
	refusals  int  // how often it said so
	leaving   bool
	forget    bool // the cursor, once left
	joined    bool
	joining   bool
	tryAt     time.Time
	hasCursor bool
	cursor    int64 // everything up to it has been shown
	asked     int64 // the afterSeq of the join that is on its way
	pageAt    time.Time
	pageTo    int64 // above cursor: it has to be paged up to there
	flying    int   // messages sent and not answered
	live      int64 // and has been shown everything from there to here
	mark      target
	marked    int64 // accepted
	marking   bool
}

type target struct {
	message uuid.UUID
	seq     int64
	tryAt   time.Time
}

// outgoing is a message that has not been answered for good.
type outgoing struct {
	Message
	body   history.Body
	tries  int
	flying bool // sent on this connection, and not answered
	tryAt  time.Time
}

// New makes a device that wants nothing yet.
func New(c Config) *Device {
	random := rand.New(rand.NewPCG(c.Seed, uint64(len(c.Name))))
	d := &Device{
		Config: c, wake: make(chan struct{}, 1), random: random, backoff: wire.NewBackoff(random),
		rooms: map[uuid.UUID]*room{}, acks: map[int]*asked{},
	}
	d.speed.Store(c.Speed)
	return d
}

func (d *Device) poke() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// room is there once it has been wanted. d.mu is held.
func (d *Device) room(id uuid.UUID) *room {
	r := d.rooms[id]
	if r == nil {
		r = &room{id: id, hasCursor: true}
		d.rooms[id] = r
		d.order = append(d.order, r)
	}
	return r
}

// Join keeps the device in a conversation from now on, whatever happens to its connection, from where it
// left or from the first message.
func (d *Device) Join(conversation uuid.UUID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.room(conversation)
	r.wanted, r.refused, r.refusals, r.tryAt = true, false, 0, time.Time{}
	d.poke()
}

// Leave takes the device out of a conversation. With forget its cursor is gone too, and the next Join asks for nothing.
func (d *Device) Leave(conversation uuid.UUID, forget bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.room(conversation)
	r.wanted, r.forget = false, forget
	d.poke()
}

// Send sends a message as soon as the conversation is joined, and again until it is answered for good.
func (d *Device) Send(m Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.Stats.Sent.Add(1)
	d.outbox = append(d.outbox, &outgoing{Message: m, body: history.BodyOf(m.Text, m.Attachments)})
	d.poke()
}

// Once sends a message now if the device is in the conversation, and does not try again.
func (d *Device) Once(m Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.room(m.Conversation); d.up != nil && r.joined {
		d.try(r, &outgoing{Message: m, body: history.BodyOf(m.Text, m.Attachments)})
		d.poke()
	}
}

// Mark marks a message as read, unless a later one has been.
func (d *Device) Mark(conversation, message uuid.UUID, seq int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.room(conversation); seq > max(r.marked, r.mark.seq) {
		r.mark = target{message: message, seq: seq}
		d.poke()
	}
}

// Typing tells others that the user began or ceased to type, if there is a connection.
func (d *Device) Typing(conversation uuid.UUID, on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.room(conversation)
	if d.up == nil || !r.joined {
		return
	}
	event := "typing:stop"
	if on {
		event = "typing:start"
	}
	d.emit(event, place{r.id}, 0)
	d.poke()
}

// Cut ends the connection as a tunnel does: without a word. It tells whether there was one.
func (d *Device) Cut() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.up == nil {
		return false
	}
	_ = d.up.conn.Close()
	return true
}

// Hurry has the device read as fast as it can from now on.
func (d *Device) Hurry() {
	if d.speed.Swap(0) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.up == nil {
		return
	}
	if tcp, ok := d.up.conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(keepBuffer) // with the small one TCP itself is slow
	}
}

// Probe asks for something small, so that a connection on which nothing comes any more is given up.
func (d *Device) Probe() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.up != nil {
		d.ask("get:online_status", status{UserIDs: []uuid.UUID{d.User}}, &asked{kind: probing})
		d.poke()
	}
}

// Busy tells what is still under way: "" is nothing.
func (d *Device) Busy() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.up == nil:
		return "not connected"
	case len(d.outbox) > 0:
		return "messages are not answered"
	case len(d.acks) > 0:
		return "requests are not answered"
	}
	for _, r := range d.order {
		switch {
		case r.wanted && !r.joined:
			return "not joined"
		case r.pageTo > r.cursor:
			return "paging"
		case r.joined && r.mark.seq > r.marked:
			return "marks are not answered"
		}
	}
	return ""
}

// Place tells how far the device has been shown a conversation, how far its marks were accepted, and whether it is in it.
func (d *Device) Place(conversation uuid.UUID) (cursor, marked int64, joined bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.room(conversation)
	return r.cursor, r.marked, r.joined
}

// Wants tells whether the device is meant to be in a conversation, be it or not at the moment.
func (d *Device) Wants(conversation uuid.UUID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.room(conversation).wanted
}

// record writes down an event of this device. d.mu is held.
func (d *Device) record(e history.Event) {
	e.Device, e.User = d.Name, d.User
	d.Record(e)
}

// drop takes a message out of the outbox: it is answered for good, or will not be tried again. d.mu is held.
func (d *Device) drop(o *outgoing) {
	d.outbox = slices.DeleteFunc(d.outbox, func(other *outgoing) bool { return other == o })
}
