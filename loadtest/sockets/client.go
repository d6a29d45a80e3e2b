package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/dozaar/dozaar/loadtest/wire"
)

// connectsAtOnce is how many connections are on their way at the same time.
const connectsAtOnce = 64

// conn is one connection of the client, and what it is about.
type conn struct {
	*wire.Conn

	acked    func()       // an acknowledgement came
	said     func(n int)  // so many messages of the room came
	question string       // what is asked next
	left     atomic.Int64 // how often it is still to be asked
}

// dial opens a connection and, unless it is bare, joins the main namespace.
func dial(ctx context.Context, address string, bare bool) (*conn, error) {
	c, err := wire.Dial(ctx, wire.Target{Address: address, Bare: bare, Connect: "40"})
	return &conn{Conn: c}, err
}

// read takes what comes until the connection ends, says why it did, and tells of what came.
func (c *conn) read() error {
	said := 0
	return c.Read(func(payload []byte) error {
		switch {
		case len(payload) > 2 && payload[0] == '4' && payload[1] == '2':
			said++
		case len(payload) > 2 && payload[0] == '4' && payload[1] == '3':
			c.acked()
		default:
			return fmt.Errorf("unexpected message %q", payload)
		}
		return nil
	}, func() {
		if said > 0 {
			c.said(said)
		}
		said = 0
	})
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
