package standin

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	pingEvery = 25 * time.Second
	pongFor   = 60 * time.Second
	mostFrame = 256 << 10
	// mostUnsent is what may wait for a session that does not read; past it the session is closed.
	mostUnsent = 1 << 20
	namespace  = "/chat,"
)

// session is one connection.
type session struct {
	server *Server
	conn   net.Conn
	user   uuid.UUID
	wake   chan struct{} // capacity 1: there is something to write, or nothing more will come

	mu    sync.Mutex // guards what follows
	out   []byte
	ended bool
}

var errFrame = errors.New("not a frame of a client")

func (s *Server) connect(w http.ResponseWriter, _ *http.Request) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	c := &session{server: s, conn: conn, wake: make(chan struct{}, 1)}
	_, err = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	if err == nil {
		c.text(`0{"sid":"x","upgrades":[],"pingInterval":` + strconv.FormatInt(pingEvery.Milliseconds(), 10) +
			`,"pingTimeout":` + strconv.FormatInt(pongFor.Milliseconds(), 10) + `,"maxPayload":1000000}`)
		go c.write()
		c.read(buffered.Reader)
	}
	c.close()
	s.gone(c)
}

// close ends the session from any side.
func (c *session) close() {
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	_ = c.conn.Close()
	c.poke()
}

func (c *session) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (s *Server) gone(c *session) {
	s.people.Lock()
	delete(s.sessions, c)
	s.byUser[c.user] = slices.DeleteFunc(s.byUser[c.user], func(other *session) bool { return other == c })
	s.people.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cv := range s.inboxes[c.user] {
		cv.mu.Lock()
		delete(cv.room, c)
		cv.mu.Unlock()
	}
}

// write writes what has gathered, and pings.
func (c *session) write() {
	pings := time.NewTicker(pingEvery)
	defer pings.Stop()
	var spare []byte
	for {
		select {
		case <-c.wake:
		case <-pings.C:
			c.text("2")
		}
		c.mu.Lock()
		out, ended := c.out, c.ended
		c.out = spare[:0]
		c.mu.Unlock()
		if ended {
			return
		}
		if len(out) > 0 {
			if _, err := c.conn.Write(out); err != nil {
				_ = c.conn.Close()
				return
			}
		}
		spare = out
	}
}

// text queues a packet.
func (c *session) text(packet string) { c.queue(frame(packet)) }

func (c *session) queue(frame []byte) {
	c.mu.Lock()
	c.out = append(c.out, frame...)
	over := len(c.out) > mostUnsent
	c.mu.Unlock()
	if over {
		_ = c.conn.Close() // reading ends, and with it the session
	}
	c.poke()
}

func (c *session) emit(event string, payload any) { c.queue(eventFrame(event, payload)) }

func eventFrame(event string, payload any) []byte {
	return frame("42" + namespace + `["` + event + `",` + encode(payload) + "]")
}

// frame is a text as a server sends it.
func frame(text string) []byte {
	b := []byte{0x81}
	switch n := len(text); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, text...)
}

// read takes packets until the connection ends.
func (c *session) read(in *bufio.Reader) {
	var buf []byte
	for {
		payload, err := next(in, &buf)
		if err != nil {
			return
		}
		switch {
		case bytes.HasPrefix(payload, []byte("40"+namespace)):
			var auth struct{ Token string }
			_ = json.Unmarshal(payload[len("40"+namespace):], &auth) // nobody's, then
			c.user = subject(auth.Token)
			c.server.people.Lock()
			c.server.sessions[c] = struct{}{}
			c.server.byUser[c.user] = append(c.server.byUser[c.user], c)
			c.server.people.Unlock()
			c.text("40" + namespace + `{"sid":"y"}`)
		case bytes.HasPrefix(payload, []byte("42"+namespace)):
			c.event(payload[len("42"+namespace):])
		case bytes.HasPrefix(payload, []byte("41")):
			return
		}
	}
}

// next reads one frame, which a client masks.
func next(in *bufio.Reader, buf *[]byte) ([]byte, error) {
	var head [10]byte
	if _, err := io.ReadFull(in, head[:2]); err != nil {
		return nil, err
	}
	n := uint64(head[1] & 0x7f)
	more := map[uint64]int{126: 2, 127: 8}[n]
	if _, err := io.ReadFull(in, head[2:2+more]); err != nil {
		return nil, err
	}
	switch more {
	case 2:
		n = uint64(binary.BigEndian.Uint16(head[2:]))
	case 8:
		n = binary.BigEndian.Uint64(head[2:])
	}
	if head[1]&0x80 == 0 || n > mostFrame {
		return nil, errFrame
	}
	if uint64(cap(*buf)) < n+4 {
		*buf = make([]byte, n+4)
	}
	b := (*buf)[:n+4]
	if _, err := io.ReadFull(in, b); err != nil {
		return nil, err
	}
	if mask := binary.BigEndian.Uint32(b); mask != 0 {
		for i := range b[4:] {
			b[4+i] ^= b[i%4]
		}
	}
	return b[4:], nil
}
