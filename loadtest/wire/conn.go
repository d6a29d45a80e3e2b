package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
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

// Conn is one connection. Read and Expect are for one goroutine, the rest for any.
type Conn struct {
	net  net.Conn
	buf  []byte
	have int // bytes of buf that are not yet looked at

	mu  sync.Mutex // guards out and the right to write
	out []byte
}

// Target is what to connect to.
type Target struct {
	Address string
	Query   string // of the request, added to the protocol's own
	Bare    bool   // a websocket without Engine.IO and Socket.IO
	Connect string // the packet that joins a namespace, such as 40; ignored where Bare
}

// handshakeRequest has the headers that a browser sends, more or less.
const handshakeRequest = "GET /socket.io/?EIO=4&transport=websocket%[2]s HTTP/1.1\r\nHost: %[1]s\r\nUpgrade: websocket\r\n" +
	"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
	"Origin: http://%[1]s\r\nPragma: no-cache\r\nCache-Control: no-cache\r\nAccept-Language: en-GB,en;q=0.9\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n\r\n"

// Dial opens a connection and, unless it is bare, joins its namespace.
func Dial(ctx context.Context, to Target) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", to.Address)
	if err != nil {
		return nil, err
	}
	c := &Conn{net: nc, buf: make([]byte, readBuffer)}
	_ = nc.SetDeadline(time.Now().Add(connectWithin))
	if err := c.handshake(to); err != nil {
		_ = nc.Close()
		return nil, err
	}
	return c, nc.SetDeadline(time.Time{})
}

func (c *Conn) handshake(to Target) error {
	if _, err := fmt.Fprintf(c.net, handshakeRequest, to.Address, to.Query); err != nil {
		return err
	}
	reader := bufio.NewReaderSize(c.net, readBuffer)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols {
		return errors.New("refused: " + response.Status)
	}
	c.have, err = io.ReadFull(reader, c.buf[:reader.Buffered()])
	if to.Bare || err != nil {
		return err
	}
	if err := c.expect("0{"); err != nil {
		return err
	}
	if _, err := c.net.Write(AppendFrame(nil, to.Connect)); err != nil {
		return err
	}
	namespace, _, _ := strings.Cut(to.Connect, "{")
	return c.expect(namespace + "{")
}

// expect reads one message, which must start as told.
func (c *Conn) expect(start string) error {
	for {
		payload, size, err := NextFrame(c.buf[:c.have])
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

func (c *Conn) fill() error {
	if c.have == len(c.buf) {
		c.buf = append(c.buf, make([]byte, len(c.buf))...)
	}
	n, err := c.net.Read(c.buf[c.have:])
	c.have += n
	if n > 0 {
		return nil
	}
	return err
}

// Queue gathers a message, for Send to write.
func (c *Conn) Queue(payload string) {
	c.mu.Lock()
	c.out = AppendFrame(c.out, payload)
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
			payload, size, err := NextFrame(c.buf[used:c.have])
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
