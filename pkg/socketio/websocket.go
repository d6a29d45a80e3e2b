package socketio

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

const (
	transportPolling   = "polling"
	transportWebSocket = "websocket"

	opText   = byte(websocket.TextMessage)
	opBinary = byte(websocket.BinaryMessage)

	// readBuffer is what a connection borrows while it reads, and smallReadBuffer what one keeps that
	// cannot borrow.
	readBuffer      = 4096
	smallReadBuffer = 1024
	// writeChunk is up to how much small frames are gathered for one write.
	writeChunk = 16 << 10
	// parting is how long a connection that is cut for cause may take to hear why.
	parting = 500 * time.Millisecond
)

// wsConn is a websocket. Gorilla has seen to its handshake and is gone. One goroutine reads; frames are
// written whole, so that control frames fall between data frames, whoever writes them.
// abort works on nil, which is no websocket.
type wsConn struct {
	srv    *Server
	sess   *session // set before reading starts
	net    net.Conn
	in     *frameReader
	probed bool         // asked for the upgrade; guarded by its session's mu
	parted atomic.Bool  // a close frame has been sent
	answer atomic.Int32 // the peer's close code, which is to be sent back

	// By the reader alone:
	handled int  // messages since the last pong of Engine.IO
	moved   bool // reading has moved to a fresh goroutine, at least once
}

// upgrader answers a websocket handshake. Origins are checked before.
func newUpgrader(s *Server) *websocket.Upgrader {
	return &websocket.Upgrader{
		WriteBufferPool: new(sync.Pool), // never used, like all that gorilla would read and write with
		CheckOrigin:     func(*http.Request) bool { return true },
		Error: func(w http.ResponseWriter, _ *http.Request, _ int, _ error) {
			s.reject(w, http.StatusBadRequest, codeBadRequest)
		},
	}
}

// accept makes a websocket of a request; on failure the answer has been given.
func (s *Server) accept(w http.ResponseWriter, r *http.Request) (*wsConn, bool) {
	conn, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return nil, false
	}
	c := &wsConn{srv: s, net: conn.NetConn()}
	c.in = newFrameReader(c.net, &s.buffers, s.cfg.MaxUnjoinedPayload, c.aside)
	return c, true
}

// write sends frames in as few writes as it can and tells how many bytes went out. Unless it may wait, it
// sends only what the socket takes at once.
func (c *wsConn) write(batch []frame, wait bool) (sent int, err error) {
	put := c.push
	if wait {
		put = c.put
	}
	if len(batch) == 1 {
		return put(batch[0].buf)
	}
	scratch := c.srv.chunks.Get().(*[]byte)
	defer c.srv.chunks.Put(scratch)
	chunk := (*scratch)[:0]
	for i, f := range batch {
		if len(f.buf) <= writeChunk {
			chunk = append(chunk, f.buf...)
			if next := i + 1; next < len(batch) && len(chunk)+len(batch[next].buf) <= writeChunk {
				continue
			}
			f.buf = chunk
		}
		n, err := put(f.buf)
		if sent += n; err != nil || n < len(f.buf) {
			return sent, err
		}
		chunk = chunk[:0]
	}
	return sent, nil
}

// put writes all of buf. Most of the time the socket takes it as it is; only a write that has to wait
// needs a deadline.
func (c *wsConn) put(buf []byte) (sent int, err error) {
	if sent, err = c.push(buf); err != nil || sent == len(buf) {
		return sent, err
	}
	if err := c.net.SetWriteDeadline(time.Now().Add(c.srv.cfg.WriteTimeout)); err != nil {
		return sent, err
	}
	n, err := c.net.Write(buf[sent:])
	if err == nil {
		err = c.net.SetWriteDeadline(time.Time{})
	}
	return sent + n, err
}

// push writes as much of buf as can be written without waiting, if only nothing.
func (c *wsConn) push(buf []byte) (sent int, err error) {
	if c.in.raw == nil {
		return 0, nil
	}
	return writeRaw(c.in.raw, c.srv.writes, buf)
}

// finish closes the websocket in good order: the peer gets all that was written, and a close frame.
// The reader goes on until the peer has closed too.
func (c *wsConn) finish() {
	c.part(websocket.CloseNormalClosure, c.srv.cfg.WriteTimeout)
	c.shut()
}

// part sends a close frame, if none has been.
func (c *wsConn) part(code int, within time.Duration) {
	if c.parted.Swap(true) {
		return
	}
	_ = c.net.SetWriteDeadline(time.Now().Add(within))
	_, _ = c.net.Write(framed(websocket.CloseMessage, websocket.FormatCloseMessage(code, "")).buf)
}

// shut ends the sending side only: a close with unread input would take back what was sent.
func (c *wsConn) shut() {
	if half, ok := c.net.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// abort closes the websocket now. A peer that did wrong is told so, and one that closed is answered.
func (c *wsConn) abort(reason string) {
	if c == nil {
		return
	}
	defer func() { _ = c.net.Close() }()
	if c.parted.Load() {
		return
	}
	code := int(c.answer.Load())
	switch reason {
	case ReasonTooLarge:
		code = websocket.CloseMessageTooBig
	case ReasonParseError:
		code = websocket.CloseProtocolError
	case ReasonBadText:
		code = websocket.CloseInvalidFramePayloadData
	case ReasonConnectTimeout, ReasonFlood, reasonUpgrade:
		code = websocket.ClosePolicyViolation
	case ReasonCrowdedOut:
		code = websocket.CloseTryAgainLater
	case ReasonShutdown:
		code = websocket.CloseGoingAway
	}
	if code == 0 {
		return
	}
	until := time.Now().Add(parting)
	c.part(code, parting)
	c.shut()
	_ = c.net.SetReadDeadline(until)
	_, _ = io.CopyN(io.Discard, c.net, 1<<20)
}

// reasonUpgrade closes a websocket that does not become a session's.
const reasonUpgrade = "upgrade refused"

// failed is why a session ends whose websocket cannot be read any more. A peer that has closed is
// answered by abort, which may wait.
func (c *wsConn) failed(err error) (reason string) {
	var closed *peerClosed
	switch {
	case errors.As(err, &closed):
		c.answer.Store(int32(closed.code))
		switch closed.code {
		case websocket.CloseNormalClosure, websocket.CloseGoingAway, websocket.CloseNoStatusReceived:
			return ReasonTransportClose
		}
	case errors.Is(err, errBadText):
		return ReasonBadText
	case errors.Is(err, errTooLarge):
		return ReasonTooLarge
	case errors.Is(err, errFlood):
		return ReasonFlood
	case errors.Is(err, errProtocol):
		return ReasonParseError
	}
	return ReasonTransportError
}

// serveWebSocket opens a session on a websocket.
func (s *Server) serveWebSocket(w http.ResponseWriter, r *http.Request, at *place) {
	c, ok := s.accept(w, r)
	if !ok {
		s.places.leave(at)
		return
	}
	sess := newSession(s, r)
	sess.place = at
	sess.ws, c.sess = c, sess
	sess.replying.Store(true) // OPEN is all there is to say
	if !s.open(sess) {
		c.abort(ReasonShutdown)
		return
	}
	sess.send(textFrame(engineOpen, s.openPacket(sess.id, true)))
	s.tasks.Go(func() { sess.read(c) })
}

var errFlood = errors.New("a flood of what is no event")

// aside answers a ping in its turn, behind what waits, once the session is on this websocket.
func (c *wsConn) aside(op byte, data []byte) error {
	if c.sess.charge() != "" {
		return errFlood
	}
	if op != websocket.PingMessage {
		return nil
	}
	c.sess.mu.Lock()
	mine := c.sess.ws == c
	c.sess.mu.Unlock()
	if mine {
		c.sess.send(framed(websocket.PongMessage, data))
	}
	return nil
}

// read handles what comes from the websocket, until it ends. It goes on on a fresh goroutine after
// CONNECT, and again with a heartbeat if anything was handled since the last: what handlers need of a
// stack is given back rather than kept for as long as the connection is idle.
func (s *session) read(c *wsConn) {
	for {
		if err := c.in.wait(); err != nil {
			s.abort(c.failed(err))
			return
		}
		ok, move := s.readMessage(c)
		switch {
		case !ok:
			return
		case move:
			s.srv.tasks.Go(func() { s.read(c) })
			return
		}
	}
}

// readMessage handles one message. It tells whether reading goes on, and whether elsewhere.
func (s *session) readMessage(c *wsConn) (ok, move bool) {
	c.in.limit = s.payloadLimit()
	data, binary, err := c.in.next()
	if err != nil {
		s.abort(c.failed(err))
		return false, false
	}
	if !s.receiveOne(data, binary, !c.in.more()) {
		s.readOut(c)
		return false, false
	}
	c.handled++
	first := c.handled == 1 && !c.moved
	if pong := len(data) == 1 && data[0] == enginePong; pong || first {
		move = first || c.handled > 1
		c.handled = 0
		c.moved = true
	}
	return true, move
}

// readOut reads what is still sent to a session that is over, as nothing, until the peer or the
// session closes.
func (s *session) readOut(c *wsConn) {
	for {
		if _, _, err := c.in.next(); err != nil {
			_ = c.failed(err)
			s.abort(ReasonTransportClose)
			return
		}
	}
}
