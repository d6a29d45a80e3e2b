package socketio

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

const (
	transportPolling   = "polling"
	transportWebSocket = "websocket"

	opText   = byte(websocket.TextMessage)
	opBinary = byte(websocket.BinaryMessage)

	// readBuffer is what each connection keeps for reading; what is larger is read past it.
	readBuffer = 1024
	// writeChunk is up to how much small frames are gathered for one write.
	writeChunk = 16 << 10
	// parting is how long a connection that is cut for cause may take to hear why.
	parting = 500 * time.Millisecond
	// maxControl is how many pings a client may send between two pongs of Engine.IO.
	maxControl = 1000
)

var errBadText = errors.New("text frame is not UTF-8")

// wsConn is a websocket. Reading goes through gorilla, by one goroutine; data frames are written
// whole and past it, so that gorilla's own control frames fall between them.
// All methods but next work on nil, which is no websocket.
type wsConn struct {
	*websocket.Conn
	srv    *Server
	sess   *session // set before reading starts
	net    net.Conn
	probed bool        // asked for the upgrade; guarded by its session's mu
	parted atomic.Bool // a close frame has been sent
	pings  int         // by the reader alone
}

// upgrader answers a websocket handshake. Origins are checked before.
func newUpgrader() *websocket.Upgrader {
	return &websocket.Upgrader{
		ReadBufferSize:  readBuffer,
		WriteBufferPool: new(sync.Pool), // never used: only control frames go through gorilla
		CheckOrigin:     func(*http.Request) bool { return true },
		Error: func(w http.ResponseWriter, _ *http.Request, _ int, _ error) {
			refuse(w, http.StatusBadRequest, codeBadRequest)
		},
	}
}

// accept makes a websocket of a request; on failure the answer has been given.
func (s *Server) accept(w http.ResponseWriter, r *http.Request) (*wsConn, bool) {
	conn, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return nil, false
	}
	conn.SetReadLimit(int64(s.cfg.MaxPayload))
	c := &wsConn{Conn: conn, srv: s, net: conn.NetConn()}
	conn.SetPingHandler(func(data string) error {
		if c.pings++; c.pings > maxControl {
			return errProtocol
		}
		c.sess.pong(c, data)
		return nil
	})
	return c, true
}

// next reads one message into memory of its own.
func (c *wsConn) next() (data []byte, binary bool, err error) {
	kind, r, err := c.NextReader()
	if err != nil {
		return nil, false, err
	}
	scratch := c.srv.scratch.Get().(*[]byte)
	defer c.srv.scratch.Put(scratch)
	buf := (*scratch)[:0]
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, false, err
		}
	}
	*scratch = buf
	if kind == websocket.TextMessage && !utf8.Valid(buf) {
		return nil, false, errBadText
	}
	return append(make([]byte, 0, len(buf)), buf...), kind == websocket.BinaryMessage, nil
}

// write sends frames in as few writes as it can and tells how many bytes went out.
func (c *wsConn) write(batch []frame) (sent int, err error) {
	if err := c.net.SetWriteDeadline(time.Now().Add(c.srv.cfg.WriteTimeout)); err != nil {
		return 0, err
	}
	if len(batch) == 1 {
		return c.net.Write(batch[0].buf)
	}
	scratch := c.srv.chunks.Get().(*[]byte)
	defer c.srv.chunks.Put(scratch)
	chunk := (*scratch)[:0]
	flush := func() error {
		n, err := c.net.Write(chunk)
		sent += n
		chunk = chunk[:0]
		if err == nil {
			err = c.net.SetWriteDeadline(time.Now().Add(c.srv.cfg.WriteTimeout))
		}
		return err
	}
	for _, f := range batch {
		if len(chunk)+len(f.buf) > writeChunk && len(chunk) > 0 {
			if err := flush(); err != nil {
				return sent, err
			}
		}
		if len(f.buf) > writeChunk {
			n, err := c.net.Write(f.buf)
			sent += n
			if err != nil {
				return sent, err
			}
			continue
		}
		chunk = append(chunk, f.buf...)
	}
	if len(chunk) == 0 {
		return sent, nil
	}
	return sent, flush()
}

// finish closes the websocket in good order: the peer gets all that was written, and a close frame.
// The reader goes on until the peer has closed too.
func (c *wsConn) finish() {
	c.parted.Store(true)
	_ = c.WriteControl(websocket.CloseMessage,
		websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(c.srv.cfg.WriteTimeout))
	c.shut()
}

// shut ends the sending side only: a close with unread input would take back what was sent.
func (c *wsConn) shut() {
	if half, ok := c.net.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// abort closes the websocket now. A peer that did wrong is told so.
func (c *wsConn) abort(reason string) {
	if c == nil {
		return
	}
	defer func() { _ = c.Close() }()
	if c.parted.Load() {
		return
	}
	var code int
	switch reason {
	case ReasonTooLarge:
		code = websocket.CloseMessageTooBig
	case ReasonParseError:
		code = websocket.CloseProtocolError
	case ReasonBadText:
		code = websocket.CloseInvalidFramePayloadData
	case ReasonConnectTimeout, reasonUpgrade:
		code = websocket.ClosePolicyViolation
	case ReasonShutdown:
		code = websocket.CloseGoingAway
	default:
		return
	}
	until := time.Now().Add(parting)
	_ = c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), until)
	c.shut()
	_ = c.net.SetReadDeadline(until)
	_, _ = io.CopyN(io.Discard, c.net, 1<<20)
}

// reasonUpgrade closes a websocket that does not become a session's.
const reasonUpgrade = "upgrade refused"

// readError is why a session ends whose websocket cannot be read any more.
func readError(err error) string {
	switch {
	case errors.Is(err, errBadText):
		return ReasonBadText
	case errors.Is(err, websocket.ErrReadLimit):
		return ReasonTooLarge
	case errors.Is(err, errProtocol):
		return ReasonParseError
	case websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseGoingAway,
		websocket.CloseNoStatusReceived):
		return ReasonTransportClose
	}
	return ReasonTransportError
}

// serveWebSocket opens a session on a websocket.
func (s *Server) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	c, ok := s.accept(w, r)
	if !ok {
		return
	}
	sess := newSession(s, r)
	sess.ws, c.sess = c, sess
	if !s.open(sess) {
		c.abort(ReasonShutdown)
		return
	}
	sess.send(textFrame(engineOpen, s.openPacket(sess.id, true)))
	s.tasks.Go(func() { sess.read(c) })
}

// pong answers a ping in its turn: gorilla would do it past the queue, and change the deadline of a
// write that is going on.
func (s *session) pong(c *wsConn, data string) {
	s.mu.Lock()
	mine := s.ws == c
	s.mu.Unlock()
	if mine {
		s.send(framed(websocket.PongMessage, []byte(data)))
	}
}

// read handles what comes from the websocket, until it ends.
func (s *session) read(c *wsConn) {
	for {
		data, binary, err := c.next()
		if err != nil {
			s.abort(readError(err))
			return
		}
		s.inbound.Lock()
		ok := s.receive(data, binary)
		s.inbound.Unlock()
		if !ok {
			break
		}
		if len(data) == 1 && data[0] == enginePong {
			c.pings = 0
		}
	}
	// What is still sent here is not read as anything, until the peer or the session closes.
	for {
		if _, _, err := c.NextReader(); err != nil {
			s.abort(ReasonTransportClose)
			return
		}
	}
}
