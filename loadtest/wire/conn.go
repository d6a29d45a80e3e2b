package wire

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

const (
	// connectWithin is after how long a connection that got no answer counts as hung.
	connectWithin = 10 * time.Second
	// readBuffer is what a connection reads with at first; it grows for a larger message.
	readBuffer = 4096
)

// SlowBuffer is what the kernel reads for a connection that reads slowly. With less, Linux drops acknowledgements that come with data.
const SlowBuffer = 16 << 10

// Conn is one connection. Read and Expect are for one goroutine, the rest for any.
type Conn struct {
	net   net.Conn
	buf   []byte
	speed int // bytes a second that are read; 0: as many as come
	have  int // bytes of buf that are not yet looked at

	mu  sync.Mutex // guards out and the right to write
	out []byte
}

// Target is what to connect to.
type Target struct {
	Address string
	Query   string // of the request, added to the protocol's own
	Bare    bool   // a websocket without Engine.IO and Socket.IO
	Speed   int    // bytes a second that are read; 0: as many as come
	Connect string // the packet that joins a namespace, such as 40; ignored where Bare
}

// Dial opens a connection and, unless it is bare, joins its namespace.
func Dial(ctx context.Context, to Target) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", to.Address)
	if err != nil {
		return nil, err
	}
	c := &Conn{net: nc, buf: make([]byte, readBuffer), speed: to.Speed}
	if tcp, ok := nc.(*net.TCPConn); ok && to.Speed > 0 {
		_ = tcp.SetReadBuffer(SlowBuffer) // or the kernel would read for it
	}
	_ = nc.SetDeadline(time.Now().Add(connectWithin))
	if err := c.handshake(to); err != nil {
		_ = nc.Close()
		return nil, err
	}
	return c, nc.SetDeadline(time.Time{})
}

func (c *Conn) handshake(to Target) error {
	var err error
	c.have, err = Upgrade(c.net, to.Address, to.Query, c.buf)
	if to.Bare || err != nil {
		return err
	}
	if err := c.expect("0{"); err != nil {
		return err
	}
	if _, err := c.net.Write(AppendText(nil, to.Connect)); err != nil {
		return err
	}
	namespace, _, _ := strings.Cut(to.Connect, "{")
	return c.expect(namespace + "{")
}

// Ask sends a message and waits for the next one, which must start as told.
func (c *Conn) Ask(payload, start string) error {
	_ = c.net.SetDeadline(time.Now().Add(connectWithin))
	c.Queue(payload)
	if err := c.Send(); err != nil {
		return err
	}
	if err := c.expect(start); err != nil {
		return err
	}
	return c.net.SetDeadline(time.Time{})
}

// expect reads one message, which must start as told.
func (c *Conn) expect(start string) error {
	for {
		payload, size, err := nextText(c.buf[:c.have])
		if err != nil {
			return err
		}
		if size > 0 {
			text := string(payload)
			c.have = copy(c.buf, c.buf[size:c.have])
			if !strings.HasPrefix(text, start) {
				return fmt.Errorf("%q came where %q was due", text, start)
			}
			return nil
		}
		if err := c.fill(); err != nil {
			return err
		}
	}
}

// nextText takes the first frame, as Next does. The servers that Conn is for send nothing but whole texts.
func nextText(buf []byte) (payload []byte, size int, err error) {
	f, size, err := Next(buf)
	if err == nil && size > 0 && (f.Kind != Text || !f.Final) {
		return nil, 0, ErrFrame
	}
	return f.Payload, size, err
}

func (c *Conn) fill() error {
	if c.have == len(c.buf) {
		c.buf = append(c.buf, make([]byte, len(c.buf))...)
	}
	n, err := c.net.Read(c.buf[c.have:])
	c.have += n
	if c.speed > 0 {
		time.Sleep(time.Duration(n) * time.Second / time.Duration(c.speed))
	}
	if n > 0 {
		return nil
	}
	return err
}

// Queue gathers a message, for Send to write.
func (c *Conn) Queue(payload string) {
	c.mu.Lock()
	c.out = AppendText(c.out, payload)
	c.mu.Unlock()
}

// Send writes what Queue has gathered.
func (c *Conn) Send() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.out) == 0 {
		return nil
	}
	_, err := c.net.Write(c.out)
	c.out = c.out[:0]
	return err
}

// Read takes what comes until the connection ends, and says why it did. It answers pings; message is told all
// else, one after the other, and taken after those that came at once and before what was queued is sent.
func (c *Conn) Read(message func(payload []byte) error, taken func()) error {
	for {
		used := 0
		for {
			payload, size, err := nextText(c.buf[used:c.have])
			if err != nil {
				return err
			}
			if size == 0 {
				break
			}
			used += size
			if len(payload) == 1 && payload[0] == '2' {
				c.Queue("3")
				continue
			}
			if err := message(payload); err != nil {
				return err
			}
		}
		c.have = copy(c.buf, c.buf[used:c.have])
		taken()
		if err := c.Send(); err != nil {
			return err
		}
		if err := c.fill(); err != nil {
			return err
		}
	}
}

// Close cuts the connection, as a client that is closed does.
func (c *Conn) Close() error { return c.net.Close() }
