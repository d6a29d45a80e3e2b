package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
)

// ErrClosed is returned for what is sent to a socket that is gone.
var ErrClosed = errors.New("socketio: the socket is closed")

// Socket is one client in one namespace. Its methods may be called at any time, from anywhere, and but for Drain
// they do not block.
type Socket struct {
	id     string
	user   any
	ns     *namespace
	client *client
	ctx    context.Context
	cancel context.CancelFunc

	rooms    []*Room     // guarded by client.mu
	over     bool        // out of the namespace; guarded by client.mu
	reason   string      // and why; guarded by client.mu
	gone     atomic.Bool // ctx has ended
	finished atomic.Bool // Disconnected has been called
}

func (s *Socket) cut() {
	s.gone.Store(true)
	s.cancel()
}

// ID is public: it is told to the client, and unlike the session's it gives no access.
func (s *Socket) ID() string { return s.id }

// User is what Authenticate returned.
func (s *Socket) User() any { return s.user }

// Transport is "polling" or "websocket", as of now.
func (s *Socket) Transport() string { return s.client.sess.transport() }

// RemoteAddr is the peer's address and port as the HTTP server saw them.
func (s *Socket) RemoteAddr() string { return s.client.sess.remote }

// Emit sends an event to this socket alone; see Encode for args. The error is ErrClosed, or why args
// cannot be encoded. Where more than Config.SendBuffer would wait, if only because this one event is larger,
// the connection is closed instead and the error is ErrClosed.
func (s *Socket) Emit(event string, args ...any) error {
	p, err := Encode(s.ns.name, event, args...)
	if err != nil {
		return err
	}
	if !s.send(p.first, p.more) {
		return ErrClosed
	}
	return nil
}

// Send is Emit for a packet that goes to many. The packet must have been encoded for this socket's
// namespace; any other is dropped and logged. Nothing is sent to a socket that is gone. Whether SendBuffer let
// it through, the handler hears as Disconnected with ReasonSlowClient or not at all.
func (s *Socket) Send(p *Packet) {
	if p.namespace != s.ns.name {
		s.client.srv.cfg.Logger.Error("packet for another namespace dropped",
			"packet", p.namespace, "socket", s.ns.name)
		return
	}
	s.send(p.first, p.more)
}

func (s *Socket) send(first frame, more []frame) bool {
	if s.gone.Load() {
		return false
	}
	return s.client.sess.send(first, more...)
}

// Close sends the client away: a namespace DISCONNECT behind what waits to be sent, then the end of
// the connection, unless it has sockets in other namespaces. Official clients do not reconnect by
// themselves after that. The handler hears of it as Disconnected(s, reason), once the event being
// handled is done with. reason is for it, and should be one of a few, as it becomes a label of a metric. The client
// is not told: what it shall know has to be sent before.
func (s *Socket) Close(reason string) { s.client.kick(s, reason) }

// finish tells the handler of a socket that is over, once. The session's inbound lock is held.
func (s *Socket) finish() {
	if !s.finished.CompareAndSwap(false, true) {
		return
	}
	s.client.mu.Lock()
	reason := s.reason
	s.client.mu.Unlock()
	s.leaveRooms()
	s.guard("Disconnected", func() { s.ns.handler.Disconnected(s, reason) })
}

// Event is what a client sent. It may be kept.
type Event struct {
	Name string
	// Args are JSON values as the client wrote them. Their syntax is checked (RFC 8259, at most 10,000 deep, in
	// UTF-8), and nothing else is: {"a":1,"a":2} has both, of which encoding/json takes the last; 1e999 is a
	// number, which json.Unmarshal refuses for a float64; "\ud800", half a surrogate pair, becomes U+FFFD there.
	// They may be passed on as they are, but not beside a Binary: see Encode.
	Args        []json.RawMessage
	Attachments [][]byte // of a binary event: what the placeholders in Args number; see Binary and Attachment
	ack         *ack
}

type ack struct {
	socket *Socket
	id     int64
	done   atomic.Bool
}

// WantsAck says whether the client waits for an acknowledgement.
func (e Event) WantsAck() bool { return e.ack != nil }

// Ack sends the acknowledgement; see Encode for args. Only the first call does anything, and only
// where one is wanted. It may come from any goroutine, at any time, and does not block.
func (e Event) Ack(args ...any) {
	if e.ack == nil || !e.ack.done.CompareAndSwap(false, true) {
		return
	}
	s := e.ack.socket
	srv := s.client.srv
	scratch := srv.chunks.Get().(*[]byte)
	defer srv.chunks.Put(scratch)
	first, more, err := encodePacket(*scratch, typeAck, s.ns.name, e.ack.id, args)
	if err != nil {
		srv.cfg.Logger.Error("acknowledgement cannot be encoded", "event", e.Name, "error", err)
		return
	}
	first.lent = true
	s.send(first, more)
}
