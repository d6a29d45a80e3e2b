package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dozaar/dozaar/loadtest/wire"
)

const (
	connectWithin = 20 * time.Second // the official client's
	writeWithin   = 10 * time.Second
	readBuffer    = 4096
	keepBuffer    = 64 << 10 // a greater one is not kept
	namespace     = "/chat,"
	slowStep      = time.Second / 10 // between two reads of a device that is slow
)

var (
	errPings      = errors.New("ping timeout")
	errSentAway   = errors.New("io server disconnect")
	errTransport  = errors.New("transport close")
	errUnexpected = errors.New("unexpected packet")
)

// socket is one connection.
type socket struct {
	conn     net.Conn
	buf      []byte
	have     int
	fragment []byte // of a message that comes in several frames
	silence  time.Duration
	speed    *atomic.Int64 // bytes a second that are read; 0: as many as come
}

// dial connects to the gateway's namespace and returns once the server has let us in.
func dial(ctx context.Context, gateway, token string, speed *atomic.Int64) (*socket, error) {
	base, err := url.Parse(gateway)
	if err != nil || base.Scheme != "http" {
		return nil, fmt.Errorf("%q is no http URL", gateway)
	}
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", base.Host)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	s := &socket{conn: conn, buf: make([]byte, readBuffer), speed: speed}
	if tcp, ok := conn.(*net.TCPConn); ok && speed.Load() > 0 {
		_ = tcp.SetReadBuffer(wire.SlowBuffer) // or the kernel would read for it
	}
	if err := s.enter(base.Host, token); err != nil {
		stop()
		_ = conn.Close()
		return nil, err
	}
	if !stop() {
		return nil, context.Cause(ctx)
	}
	return s, nil
}

func (s *socket) enter(host, token string) (err error) {
	if s.have, err = wire.Upgrade(s.conn, host, "", s.buf); err != nil {
		return err
	}
	done := errors.New("done")
	opened := false
	auth, _ := json.Marshal(map[string]string{"token": token})
	err = s.read(func(packet []byte) error {
		text := string(packet)
		switch {
		case !opened && strings.HasPrefix(text, "0"):
			var open struct{ PingInterval, PingTimeout int64 }
			if err := json.Unmarshal(packet[1:], &open); err != nil {
				return err
			}
			opened = true
			s.silence = time.Duration(open.PingInterval+open.PingTimeout) * time.Millisecond
			s.heard()
			return s.write(wire.AppendText(nil, "40"+namespace+string(auth)))
		case text == "2":
			return s.write(wire.AppendText(nil, "3"))
		case strings.HasPrefix(text, "40"+namespace):
			return done
		case strings.HasPrefix(text, "44"+namespace):
			return fmt.Errorf("refused: %s", text[len("44"+namespace):])
		}
		return fmt.Errorf("%w %.40q", errUnexpected, text)
	})
	if errors.Is(err, done) {
		return nil
	}
	return err
}

// heard is told of each ping: after too long without one the connection is dead.
func (s *socket) heard() {
	if s.silence > 0 {
		_ = s.conn.SetReadDeadline(time.Now().Add(s.silence))
	}
}

func (s *socket) write(b []byte) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(writeWithin))
	_, err := s.conn.Write(b)
	return err
}

// read hands on each Engine.IO packet until take fails or the connection ends. What take leaves unread stays for
// the next call. Websocket pings are for take too, as packets that begin with a NUL.
func (s *socket) read(take func(packet []byte) error) error {
	for {
		frame, size, err := wire.Next(s.buf[:s.have])
		if err != nil {
			return err
		}
		if size == 0 {
			if err := s.fill(); err != nil {
				return err
			}
			continue
		}
		err = s.frame(frame, take)
		s.have = copy(s.buf, s.buf[size:s.have])
		if err != nil {
			return err
		}
	}
}

func (s *socket) frame(f wire.Frame, take func([]byte) error) error {
	switch f.Kind {
	case wire.Close:
		return errTransport
	case wire.Ping:
		return take(append([]byte{0}, f.Payload...))
	case wire.Pong:
		return nil
	case wire.Text, wire.Continuation:
	default:
		return wire.ErrFrame
	}
	if f.Final && s.fragment == nil {
		return take(f.Payload)
	}
	if s.fragment = append(s.fragment, f.Payload...); len(s.fragment) > wire.MaxPayload {
		return wire.ErrFrame
	}
	if !f.Final {
		return nil
	}
	whole := s.fragment
	s.fragment = nil
	return take(whole)
}

func (s *socket) fill() error {
	switch {
	case s.have == len(s.buf):
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	case s.have == 0 && len(s.buf) > keepBuffer:
		s.buf = make([]byte, readBuffer)
	}
	room := s.buf[s.have:]
	if speed := s.speed.Load(); speed > 0 {
		time.Sleep(slowStep)
		room = room[:min(int64(len(room)), max(1, int64(slowStep.Seconds()*float64(speed))))]
	}
	n, err := s.conn.Read(room)
	s.have += n
	var timeout net.Error
	switch {
	case n > 0:
		return nil
	case errors.As(err, &timeout) && timeout.Timeout():
		return errPings
	}
	return err
}
