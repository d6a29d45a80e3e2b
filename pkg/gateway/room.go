package gateway

import (
	"sync"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/socketio"
)

// room is one conversation on this gateway: its sockets, the last seq it has delivered, and its
// members as last read. All sockets that are live have been sent everything up to last.
type room struct {
	id     chat.ID
	ready  chan struct{} // closed once the room is open or has failed to open
	failed error         // why it could not be opened; read only after ready
	gone   chan struct{} // closed once the room is no more

	mu      sync.Mutex // guards what follows
	open    bool
	closing bool
	idle    time.Time // since when there is no socket
	sockets map[*session]*place
	typing  map[chat.ID]*time.Timer // who is typing, until when

	last    int64
	want    int64 // the greatest seq heard of; above last there is a gap to read from the store
	filling bool

	members map[chat.ID]bool // of known, without who is said to have been removed since
	known   membership
	// The members are stale while fresh < stale: no delivery until they have been read again.
	stale, fresh int
}

// place is a socket's place in the room's messages.
type place struct {
	begun  int64 // the seq after which it was sent everything up to cursor
	cursor int64 // the last seq it was sent
	joined bool  // these two have a meaning
	live   bool  // it gets new messages as they come; else it is being replayed
}

func newRoom(conversation chat.ID) *room {
	return &room{
		id:      conversation,
		ready:   make(chan struct{}),
		gone:    make(chan struct{}),
		idle:    time.Now(),
		sockets: map[*session]*place{},
		typing:  map[chat.ID]*time.Timer{},
	}
}

// start opens the room at what was read after registering.
func (r *room) start(c membership, head int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = true
	r.last = head
	r.setMembers(c)
}

// attach adds a member's socket, not yet live. It does not when the room is closing, or when the room has read
// its members later than c was read, and the user is not among them.
func (r *room) attach(s *session, c membership) (closing bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return true, nil
	}
	r.setMembers(c)
	if !r.members[s.user.ID] {
		return false, chat.ErrNotFound
	}
	if r.sockets[s] == nil {
		r.sockets[s] = &place{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joined[r.id] = r
	return false, nil
}

func (r *room) detach(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sockets, s)
	if len(r.sockets) == 0 {
		r.idle = time.Now()
	}
}

func (r *room) lastSeq() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// revision is that of the members that the room knows.
func (r *room) revision() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known.Revision
}

// seek takes the socket off the live ones. From then on it is sent nothing until it is replayed to, so this is the
// moment at which last is the newest seq that it may know: at least the one that was known before. It is replayed to
// from cursor: what it asked for, where that is recovered, or what it was sent already, where that joins on, so that
// joining again shows nothing twice.
func (r *room) seek(s *session, known int64, afterSeq *int64) (last, cursor int64, recovered bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.sockets[s]
	if p == nil {
		p = &place{} // it has left meanwhile
	}
	last = max(known, r.last, p.cursor)
	cursor = last
	recovered = afterSeq == nil || *afterSeq <= last && last-*afterSeq <= maxReplay
	asked := afterSeq != nil && recovered
	if asked {
		cursor = *afterSeq
	}
	if p.joined && (!asked || p.begun <= cursor && cursor <= p.cursor) {
		p.live = false
		return last, p.cursor, recovered
	}
	*p = place{begun: cursor, cursor: cursor, joined: true}
	return last, cursor, recovered
}

// show sends a replayed message to the socket. An error is chat.ErrNotFound where that has been put out, and chat.ErrUnavailable
// where it is about to be, or not.
func (r *room) show(s *session, m chat.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.sockets[s] == nil:
		return chat.ErrNotFound
	case !r.members[s.user.ID]:
		return chat.ErrUnavailable
	}
	s.emit("new:message", m)
	return nil
}

// goLive makes the socket live if it has been sent everything up to the room's last. It is an error where the socket is no longer here.
func (r *room) goLive(s *session, cursor int64) (live bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.sockets[s]
	if p == nil {
		return false, chat.ErrNotFound
	}
	p.cursor = cursor
	p.live = cursor >= r.last
	return p.live, nil
}

// closeIfIdle begins the room's end if no socket has been there for so long.
func (r *room) closeIfIdle(linger time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.open || r.closing || r.filling || len(r.sockets) > 0 || time.Since(r.idle) < linger {
		return false
	}
	r.closing = true
	for _, timer := range r.typing {
		timer.Stop()
	}
	return true
}

// offer takes a stored message from the relay: the next one is delivered, an older one was a
// duplicate, anything else is a gap to be read from the store.
func (r *room) offer(m chat.Message, revision int64) (delivered int, duplicate bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.Seq <= r.last && r.open {
		return 0, true
	}
	if revision > r.known.Revision && r.fresh == r.stale {
		r.stale++
	}
	r.want = max(r.want, m.Seq)
	if !r.open || r.fresh < r.stale || m.Seq != r.last+1 {
		return 0, false
	}
	return r.advance(m), false
}

// advance delivers the next message to every live socket. r.mu is held.
func (r *room) advance(m chat.Message) (delivered int) {
	r.last = m.Seq
	r.stopped(m.Sender.ID)
	var packet *socketio.Packet
	for s, p := range r.sockets {
		if !p.live || p.cursor >= m.Seq {
			continue
		}
		if packet == nil {
			packet = encode("new:message", m.JSON())
		}
		s.conn.Send(packet)
		p.cursor = m.Seq
		delivered++
	}
	return delivered
}

// broadcast sends an event to every member's live socket but those of one user. r.mu is held.
func (r *room) broadcast(event string, payload any, but chat.ID) {
	var packet *socketio.Packet
	for s, p := range r.sockets {
		if !p.live || s.user.ID == but || !r.members[s.user.ID] {
			continue
		}
		if packet == nil {
			packet = encode(event, payload)
		}
		s.conn.Send(packet)
	}
}

// encode makes a packet of one of our own payload types, whose encoding cannot fail.
func encode(event string, payload any) *socketio.Packet {
	p, err := socketio.Encode(Namespace, event, payload)
	if err != nil {
		panic("gateway: " + event + " cannot be encoded: " + err.Error())
	}
	return p
}
