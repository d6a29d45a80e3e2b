package socketio

import (
	"slices"
	"sync"
)

// Room is a set of sockets that are sent the same packets. The zero Room is empty and ready for use; its
// methods may be called at any time, from anywhere, and do not block.
//
// A socket leaves its rooms by itself when it ends: it is in none any more when Disconnected is called.
// All sockets of a room get its packets in one order, whoever sends them.
//
// A Room has no name and belongs to no server: who has many keeps them in a map. It must not be copied.
type Room struct {
	mu      sync.Mutex // guards what follows; taken before any lock of a session
	sockets []*Socket
	at      map[*Socket]int // where in sockets
}

// Join takes s in. False when s is gone and so is not taken in; it is no error to be in already.
func (r *Room) Join(s *Socket) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, in := r.at[s]; in {
		return true
	}
	if !s.enter(r) {
		return false
	}
	if r.at == nil {
		r.at = make(map[*Socket]int)
	}
	r.at[s] = len(r.sockets)
	r.sockets = append(r.sockets, s)
	return true
}

// Leave lets s go. It is no error not to be in. A packet that is being sent may still reach it.
func (r *Room) Leave(s *Socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, in := r.at[s]; in {
		s.exit(r)
		r.drop(s)
	}
}

// drop takes s off the list, if it is there. mu is held.
func (r *Room) drop(s *Socket) {
	i, in := r.at[s]
	if !in {
		return
	}
	delete(r.at, s)
	last := len(r.sockets) - 1
	if i != last {
		moved := r.sockets[last]
		r.sockets[i], r.at[moved] = moved, i
	}
	r.sockets[last] = nil
	r.sockets = r.sockets[:last]
	if last == 0 { // what a room needed when it was full is not kept for ever
		r.sockets, r.at = nil, nil
	}
}

// Size is how many sockets are in the room.
func (r *Room) Size() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.sockets)
}

// Send sends a packet to every socket of the room but those in except, as Socket.Send does. One that is
// behind costs the others nothing.
func (r *Room) Send(p *Packet, except ...*Socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.sockets {
		if len(except) == 0 || !slices.Contains(except, s) {
			s.Send(p)
		}
	}
}

// enter and exit keep what a socket is in; the room's mu is held.
func (s *Socket) enter(r *Room) bool {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if s.over {
		return false
	}
	s.rooms = append(s.rooms, r)
	return true
}

func (s *Socket) exit(r *Room) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if i := slices.Index(s.rooms, r); i >= 0 {
		s.rooms = slices.Delete(s.rooms, i, i+1)
	}
}

// leaveRooms is called once s is over, and so enters no more.
func (s *Socket) leaveRooms() {
	s.client.mu.Lock()
	rooms := s.rooms
	s.rooms = nil
	s.client.mu.Unlock()
	for _, r := range rooms {
		r.mu.Lock()
		r.drop(s)
		r.mu.Unlock()
	}
}
