package socketio

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"

	libsocket "github.com/zishang520/socket.io/servers/socket/v3"
)

// joining is a CONNECT on its way through the library. The library finishes it on a goroutine of its
// own; the one that read it waits, so that what comes behind finds its socket.
type joining struct {
	auth     []byte
	user     any
	refusal  []byte            // the packet that tells of it
	socket   *libsocket.Socket // set where it succeeded
	answered chan struct{}
}

// connect takes a client into a namespace, or refuses it.
func (c *client) connect(p packet) (reason string) {
	name := string(p.namespace)
	if s := c.find(p.namespace); s != nil && !c.forgetSocket(s) {
		return ReasonParseError // it is in there
	}
	if c.tries++; c.tries > maxTries {
		return ReasonParseError
	}
	if c.srv.namespaces[name] == nil { // the library would serve / by itself
		c.sess.send(textFrame(engineMessage, c.refusalPacket(name, &Refusal{Message: "Invalid namespace"})))
		return c.turnedAway()
	}
	j := c.join(name, p.payload)
	if j.socket == nil {
		return c.turnedAway()
	}
	s := &Socket{
		id: string(j.socket.Id()), user: j.user, ns: c.srv.namespaces[name], client: c,
	}
	// Not a child of the session's context, which would keep a table of such: client.cut cancels it.
	s.ctx, s.cancel = context.WithCancel(context.Background())
	c.mu.Lock()
	c.sockets = append(c.sockets, s)
	if c.gone {
		s.cut()
	}
	c.disarm()
	c.mu.Unlock()
	c.sess.known.Store(true)
	c.srv.metrics.connects.Inc()
	s.guard("Connected", func() { s.ns.handler.Connected(s.ctx, s) })
	return ""
}

// join asks the library, which asks the handler.
func (c *client) join(namespace string, auth []byte) *joining {
	j := &joining{auth: auth, answered: make(chan struct{})}
	c.joining = j
	conn := c.srv.library.attach(c)
	answered := false
	defer func() {
		if !answered { // the handler has ended this goroutine
			conn.spoiled.Store(true)
		}
		c.srv.library.release(conn, j.socket)
		c.joining = nil
	}()
	conn.connect(namespace)
	<-j.answered
	answered = true
	return j
}

// turnedAway counts a refused CONNECT. A connection that goes on with them is ended.
func (c *client) turnedAway() (reason string) {
	c.srv.metrics.refusals.WithLabelValues("connect").Inc()
	if c.refused++; c.refused > maxRefused {
		return ReasonParseError
	}
	return ""
}

// forgetSocket makes room for another socket in the namespace of one that is over.
func (c *client) forgetSocket(s *Socket) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !s.over || !s.finished.Load() {
		return false
	}
	for i := range c.sockets {
		if c.sockets[i] == s {
			c.sockets = append(c.sockets[:i], c.sockets[i+1:]...)
			break
		}
	}
	return true
}

// refusalPacket is a CONNECT_ERROR.
func (c *client) refusalPacket(namespace string, r *Refusal) []byte {
	payload := struct {
		Message string `json:"message"`
		Data    any    `json:"data,omitempty"`
	}{r.Message, r.Data}
	body, err := json.Marshal(payload)
	if err != nil {
		c.srv.cfg.Logger.Error("data of a refusal cannot be encoded", "error", err)
		payload.Data = nil
		body, _ = json.Marshal(payload) // a string alone always can
	}
	var buf bytes.Buffer
	buf.WriteByte(typeConnectError)
	writeNamespace(&buf, namespace)
	buf.Write(body)
	return buf.Bytes()
}

// authenticate asks the handler, on the goroutine that read the CONNECT.
func (c *client) authenticate(ns *namespace) (refusal *Refusal) {
	returned := false
	defer func() {
		if r := recover(); r != nil {
			c.srv.panicked("Authenticate", ns.name, r)
			refusal = &Refusal{Message: ReasonPanic}
		} else if !returned {
			c.exited("Authenticate", ns.name)
		}
	}()
	query, err := url.ParseQuery(c.sess.query)
	if err != nil {
		query = url.Values{} // what could be read of it was not enough for a session either
	}
	header := c.sess.header.unpack()
	user, err := ns.handler.Authenticate(c.sess.ctx, Handshake{
		Header: header, Auth: cloneRaw(c.joining.auth), RemoteAddr: c.sess.remote, Query: query,
		Address: clientAddress(c.sess.remote, header, c.srv.cfg.TrustedProxies),
	})
	returned = true
	if err == nil {
		c.joining.user = user
		return nil
	}
	if errors.As(err, &refusal) {
		return refusal
	}
	c.srv.cfg.Logger.Debug("connect refused", "namespace", ns.name, "error", err)
	return &Refusal{Message: "not authorized"}
}
