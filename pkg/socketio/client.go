package socketio

import (
	"encoding/json"
	"fmt"
	"runtime/debug"
	"sync"
)

// client is what speaks Socket.IO on a session: the sockets that one connection has, one for each
// namespace it joined.
type client struct {
	srv  *Server
	sess *session

	// By the session's inbound lock:
	partial *packet // a binary event whose attachments are still to come
	parts   [][]byte
	size    int
	tries   meter // of CONNECTs
	joining *joining

	kicks sync.Mutex // held while a socket is sent away; taken before the session's mu

	mu       sync.Mutex // guards what follows
	sockets  []*Socket  // left ones stay until their namespace is joined again; changed with inbound held as well
	newcomer *newcomer  // nil while there is a namespace
	letIn    bool       // the answer to a CONNECT is out, its socket not yet among sockets
	gone     bool       // the session is over
}

// begin implements layer.
func (c *client) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.arm()
}

// arm starts the time within which a namespace must be joined. mu is held.
func (c *client) arm() {
	if c.newcomer == nil && !c.gone {
		c.newcomer = c.srv.newcomers.add(c)
	}
}

// disarm is its end. mu is held.
func (c *client) disarm() {
	if c.newcomer != nil {
		c.srv.newcomers.remove(c.newcomer)
		c.newcomer = nil
	}
}

// admit is called before the client hears that it is in: from then on it belongs to a namespace.
func (c *client) admit() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.letIn = true
	c.disarm()
}

// overdue ends a connection that belongs to no namespace.
func (c *client) overdue(reason string) {
	if c.idle() {
		c.sess.abort(reason)
	}
}

// idle says whether the connection belongs to no namespace.
func (c *client) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.idleLocked()
}

func (c *client) idleLocked() bool {
	if c.letIn {
		return false
	}
	for _, s := range c.sockets {
		if !s.over {
			return false
		}
	}
	return true
}

// find is called with inbound held, so the sockets do not change.
func (c *client) find(namespace []byte) *Socket {
	for _, s := range c.sockets {
		if s.ns.name == string(namespace) {
			return s
		}
	}
	return nil
}

// message implements layer.
func (c *client) message(data []byte, binary bool) (reason string) {
	if binary {
		return c.attachment(data)
	}
	if c.partial != nil {
		return ReasonParseError
	}
	p, err := decodePacket(data, c.srv.cfg.MaxAttachments)
	if err != nil {
		return ReasonParseError
	}
	if p.kind == typeConnect {
		return c.connect(p)
	}
	s := c.find(p.namespace)
	switch {
	case s == nil:
		return ReasonParseError
	case p.kind == typeDisconnect:
		return c.leave(s)
	case p.attachments > 0:
		waiting := p // of its own: p is not to be moved to the heap
		c.partial, c.size = &waiting, len(data)
		return ""
	}
	return c.dispatch(s, p, nil)
}

func (c *client) attachment(data []byte) (reason string) {
	if c.partial == nil {
		return ReasonParseError
	}
	if c.size += len(data); c.size > c.srv.cfg.MaxPayload {
		return ReasonTooLarge
	}
	if c.parts = append(c.parts, data); len(c.parts) < c.partial.attachments {
		return ""
	}
	p, parts := *c.partial, c.parts
	c.partial, c.parts = nil, nil
	s := c.find(p.namespace)
	if s == nil {
		return ReasonParseError
	}
	return c.dispatch(s, p, parts)
}

// dispatch hands an event to the handler, on this goroutine. Events for a socket that was closed a
// moment ago are no error: the client cannot know yet.
func (c *client) dispatch(s *Socket, p packet, parts [][]byte) (reason string) {
	if s.gone.Load() {
		return c.sess.charge()
	}
	c.srv.metrics.events.Inc()
	e := Event{Name: p.name, Args: p.args, Attachments: parts}
	if p.ack != noAck {
		e.ack = &p.memory.ack
		e.ack.socket, e.ack.id = s, p.ack
	}
	returned := false
	defer s.caught("Event", &returned)
	s.ns.handler.Event(s.ctx, s, e)
	returned = true
	return ""
}

// leave is the client's own wish.
func (c *client) leave(s *Socket) (reason string) {
	if !c.part(s, ReasonClientDisconnect) {
		return c.sess.charge()
	}
	s.finish()
	c.srv.metrics.closes.add(ReasonClientDisconnect)
	c.mu.Lock()
	if c.idleLocked() {
		c.arm()
	}
	c.mu.Unlock()
	return ""
}

// part takes a socket out of its namespace; false if it was out already.
func (c *client) part(s *Socket, reason string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.over {
		return false
	}
	s.over, s.reason = true, reason
	s.cut()
	return true
}

// kick sends a socket away: DISCONNECT, and the end of the connection with its last socket. One at a time, as the
// last one's DISCONNECT is the last that goes out.
func (c *client) kick(s *Socket, reason string) {
	c.kicks.Lock()
	defer c.kicks.Unlock()
	if !c.part(s, reason) {
		return
	}
	bye := disconnectPacket(s.ns.name)
	if c.idle() {
		c.sess.drain(reason, bye)
		return
	}
	if !c.sess.send(bye) {
		return // the connection is over, and ended tells the handler
	}
	c.srv.metrics.closes.add(reason)
	c.srv.tasks.Go(func() {
		c.sess.inbound.Lock()
		defer c.sess.inbound.Unlock()
		s.finish()
	})
}

// disconnects are the packets that send away every socket of the connection.
func (c *client) disconnects() []frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	var frames []frame
	for _, s := range c.sockets {
		if !s.over {
			frames = append(frames, disconnectPacket(s.ns.name))
		}
	}
	return frames
}

// cut implements layer.
func (c *client) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true
	c.disarm()
	for _, s := range c.sockets {
		s.cut()
	}
}

// ended implements layer.
func (c *client) ended(reason string) {
	c.mu.Lock()
	sockets := c.sockets
	c.mu.Unlock()
	c.partial, c.parts = nil, nil
	c.endAll(sockets, reason)
}

func (c *client) endAll(sockets []*Socket, reason string) {
	if len(sockets) == 0 {
		return
	}
	defer c.endAll(sockets[1:], reason) // even if the handler of this one ends the goroutine
	c.part(sockets[0], reason)
	sockets[0].finish()
}

// guard runs a handler's code; a panic in it ends the socket and nothing else.
func (s *Socket) guard(what string, f func()) {
	returned := false
	defer s.caught(what, &returned)
	f()
	returned = true
}

// caught is to be deferred itself.
func (s *Socket) caught(what string, returned *bool) {
	if r := recover(); r != nil {
		s.client.srv.panicked(what, s.ns.name, r)
		s.client.kick(s, ReasonPanic)
	} else if !*returned {
		s.client.exited(what, s.ns.name)
	}
}

// exited ends a connection of which a handler has ended the goroutine: there is nobody left who reads it.
func (c *client) exited(what, namespace string) {
	c.srv.panicked(what, namespace, "runtime.Goexit")
	c.sess.abort(ReasonPanic)
}

func (srv *Server) panicked(what, namespace string, cause any) {
	srv.metrics.panics.Inc()
	srv.cfg.Logger.Error("a handler panicked", "in", what, "namespace", namespace,
		"panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
}

// cloneRaw makes JSON the handler's own; nothing stays nil.
func cloneRaw(data []byte) json.RawMessage {
	if data == nil {
		return nil
	}
	return append(json.RawMessage(nil), data...)
}
