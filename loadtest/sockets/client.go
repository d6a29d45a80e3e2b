package main

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
	"sync/atomic"
	"time"
)

const (
	// connectWithin is after how long a connection that got no answer counts as hung.
	connectWithin = 10 * time.Second
	// connectsAtOnce is how many connections are on their way at the same time.
	connectsAtOnce = 64
	// readBuffer is what a connection of the client reads with.
	readBuffer = 4096
)

// conn is one connection of the client, which speaks no more of the protocol than it must.
type conn struct {
	net  net.Conn
	buf  []byte
	have int // bytes of buf that are not yet looked at

	acked    func()       // an acknowledgement came
	said     func(n int)  // so many messages of the room came
	question string       // what is asked next
	left     atomic.Int64 // how often it is still to be asked

	mu  sync.Mutex // guards out and the right to write
	out []byte
}

// dial opens a connection and, unless it is bare, joins the main namespace.
func dial(ctx context.Context, address string, bare bool) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	c := &conn{net: nc, buf: make([]byte, readBuffer)}
	_ = nc.SetDeadline(time.Now().Add(connectWithin))
	if err := c.handshake(address, bare); err != nil {
		_ = nc.Close()
		return nil, err
	}
	return c, nc.SetDeadline(time.Time{})
}

// handshakeRequest has the headers that a browser sends, more or less.
const handshakeRequest = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: %[1]s\r\nUpgrade: websocket\r\n" +
	"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
	"Origin: http://%[1]s\r\nPragma: no-cache\r\nCache-Control: no-cache\r\nAccept-Language: en-GB,en;q=0.9\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n\r\n"

func (c *conn) handshake(address string, bare bool) error {
	if _, err := fmt.Fprintf(c.net, handshakeRequest, address); err != nil {
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
	if bare || err != nil {
		return err
	}
	if err := c.expect("0{"); err != nil {
		return err
	}
	if _, err := c.net.Write(appendFrame(nil, "40")); err != nil {
		return err
	}
	return c.expect("40{")
}

// expect reads one message, which must start as told.
func (c *conn) expect(start string) error {
	for {
		payload, size, err := nextFrame(c.buf[:c.have])
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

func (c *conn) fill() error {
	n, err := c.net.Read(c.buf[c.have:])
	c.have += n
	if n > 0 {
		return nil
	}
	return err
}

// send writes what queue has gathered.
func (c *conn) send() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.out) == 0 {
		return nil
	}
	_, err := c.net.Write(c.out)
	c.out = c.out[:0]
	return err
}

func (c *conn) queue(payload string) {
	c.mu.Lock()
	c.out = appendFrame(c.out, payload)
	c.mu.Unlock()
}

// read takes what comes until the connection ends, says why it did, answers pings, and tells of the rest.
func (c *conn) read() error {
	for {
		taken, said := 0, 0
		for {
			payload, size, err := nextFrame(c.buf[taken:c.have])
			if err != nil {
				return err
			}
			if size == 0 {
				break
			}
			taken += size
			switch {
			case len(payload) == 1 && payload[0] == '2':
				c.queue("3")
			case len(payload) > 2 && payload[0] == '4' && payload[1] == '2':
				said++
			case len(payload) > 2 && payload[0] == '4' && payload[1] == '3':
				c.acked()
			default:
				return fmt.Errorf("unexpected message %q", payload)
			}
		}
		c.have = copy(c.buf, c.buf[taken:c.have])
		if said > 0 {
			c.said(said)
		}
		if err := c.send(); err != nil {
			return err
		}
		if err := c.fill(); err != nil {
			return err
		}
	}
}

// connected is how opening connections went.
type connected struct {
	Open int `json:"open"`
	Hung int `json:"hung"` // got no answer in time
}

// connect opens count connections more.
func (l *load) connect(address string, bare bool, count int) (connected, error) {
	var (
		left   atomic.Int64
		result connected
		failed error
		mu     sync.Mutex // guards result, failed and l.conns
		wg     sync.WaitGroup
	)
	left.Store(int64(count))
	for range connectsAtOnce {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				c, err := dial(context.Background(), address, bare)
				mu.Lock()
				var timeout net.Error
				switch {
				case err == nil:
					result.Open++
					l.conns = append(l.conns, c)
				case errors.As(err, &timeout) && timeout.Timeout():
					result.Hung++
				default:
					failed = err
				}
				mu.Unlock()
				if err == nil {
					l.start(c)
				}
			}
		})
	}
	wg.Wait()
	return result, failed
}
