package socketio

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"time"

	libsocket "github.com/zishang520/socket.io/servers/socket/v3"
)

// connects are the CONNECTs of a connection: each costs an authentication. One that is refused counts for refusedCost.
var connects = Rate{PerSecond: 1, Burst: 100}

const refusedCost = 10

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
	if !c.tries.spend(time.Now(), connects, 1) {
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
	c.sockets, c.letIn = append(c.sockets, s), false
	if c.gone {
		s.cut()
	}
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
	if !c.tries.spend(time.Now(), connects, refusedCost-1) {
		return ReasonParseError
	}
	return ""
}

// forgetSocket makes room for another socket in the namespace of one that is over. Whoever was kicked may be back
// before the handler has heard of it.
func (c *client) forgetSocket(s *Socket) bool {
	c.mu.Lock()
	over := s.over
	c.mu.Unlock()
	if !over {
		return false
	}
	s.finish()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sockets = slices.DeleteFunc(c.sockets, func(other *Socket) bool { return other == s })
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

// authenticate asks the handler, on the goroutine that read the CONNECT. It returns the packet that refuses, nil
// where the client is let in: on no error at all.
func (c *client) authenticate(ns *namespace) (refusal []byte) {
	returned := false
	defer func() {
		if r := recover(); r != nil {
			c.srv.panicked("Authenticate", ns.name, r)
			refusal = c.refusalPacket(ns.name, &Refusal{Message: ReasonPanic})
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
	if err == nil {
		c.joining.user = user
	} else {
		var told *Refusal
		if !errors.As(err, &told) || told == nil {
			c.srv.cfg.Logger.Debug("connect refused", "namespace", ns.name, "error", err)
			told = &Refusal{Message: "not authorized"}
		}
		refusal = c.refusalPacket(ns.name, told)
	}
	returned = true
	return refusal
}
