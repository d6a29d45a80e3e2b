package cassandra

import (
	"context"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"time"
)

// gatherer dials connections that gather, and that end where nobody answers (listening).
type gatherer struct {
	net.Dialer
	timeout time.Duration // of a write
	log     *slog.Logger
}

// DialContext implements gocql.Dialer.
func (g gatherer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := g.Dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &gathering{Conn: listen(conn, g.log), timeout: g.timeout}
	c.room.L = &c.mu
	return c, nil
}

// gathering is a connection on which requests that are made at the same moment leave in one write of the kernel's. None
// waits for others to come, as it does with the driver's own coalescing, whose wait of 200 µs becomes a millisecond on a
// process that is idle. A write that fails closes the connection, which its reader notices.
type gathering struct {
	net.Conn
	timeout time.Duration

	mu       sync.Mutex // guards what follows
	room     sync.Cond  // there is room again, or never will be
	waiting  []byte
	spare    []byte // written, to be used again
	flushing bool
	failed   error
}

// gatherBytes is how much waits for the kernel before whoever writes has to wait too.
const gatherBytes = 1 << 20

func (g *gathering) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.failed == nil && len(g.waiting) >= gatherBytes {
		g.room.Wait()
	}
	if g.failed != nil {
		return 0, g.failed
	}
	g.waiting = append(g.waiting, p...)
	if !g.flushing {
		g.flushing = true
		go g.flush()
	}
	return len(p), nil
}

// flush writes until nothing waits.
func (g *gathering) flush() {
	runtime.Gosched() // those who are about to write too come first
	for batch := g.take(nil); batch != nil; batch = g.take(batch) {
		err := g.Conn.SetWriteDeadline(time.Now().Add(g.timeout))
		if err == nil {
			_, err = g.Conn.Write(batch)
		}
		if err != nil {
			g.fail(err)
			return
		}
	}
}

// take answers what waits, nil for nothing: then a later write flushes anew.
func (g *gathering) take(written []byte) []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	if cap(written) <= gatherBytes/16 { // a larger one is let go
		g.spare = written[:0]
	}
	batch := g.waiting
	g.waiting, g.spare = g.spare, nil
	if len(batch) == 0 {
		g.flushing = false
		return nil
	}
	g.room.Broadcast()
	return batch
}

// fail ends the connection.
func (g *gathering) fail(err error) {
	g.mu.Lock()
	if g.failed == nil {
		g.failed = err
	}
	g.waiting = nil
	g.room.Broadcast()
	g.mu.Unlock()
	_ = g.Conn.Close()
}

// Close implements net.Conn.
func (g *gathering) Close() error {
	g.fail(net.ErrClosed)
	return nil
}

// SetWriteDeadline does nothing: each flush has its own.
func (g *gathering) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline sets that of reads.
func (g *gathering) SetDeadline(t time.Time) error { return g.SetReadDeadline(t) }
