package cassandra

import (
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// listening is a connection that is closed when the node says nothing at all for silence, though it was asked. Where a node
// hangs, or a network was cut, connections stay open and silent; the driver would keep each for half a minute and more, while
// another node, or a new connection, answers at once.
type listening struct {
	net.Conn
	log    *slog.Logger
	owed   atomic.Bool // nothing was heard since the last write
	heard  atomic.Bool // something since the last tick
	silent atomic.Bool // given up for it

	mu      sync.Mutex // guards what follows
	tick    *time.Timer
	ticking bool
	missed  int // ticks, one after the other
	closed  bool
}

// silence is longer than the driver's heartbeat is rare: it comes every five seconds, and a node that lives answers it while it
// works at what it was asked besides. Where an answer to something else was the last word the heartbeat begins the wait: twelve
// seconds then. It is waited for in ticks: of a process that stood still itself only one has gone by.
const (
	silence = 7 * time.Second
	ticks   = 7
)

func listen(conn net.Conn, log *slog.Logger) *listening {
	l := &listening{Conn: conn, log: log}
	l.tick = time.AfterFunc(silence, l.onTick)
	l.tick.Stop()
	return l
}

// Write implements net.Conn. What is written while nobody listens begins the wait.
func (l *listening) Write(p []byte) (int, error) {
	l.owed.Store(true)
	l.mu.Lock()
	if !l.ticking && !l.closed {
		l.ticking, l.missed = true, 0
		l.heard.Store(false)
		l.tick.Reset(silence / ticks)
	}
	l.mu.Unlock()
	return l.Conn.Write(p)
}

// Read implements net.Conn.
func (l *listening) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if n > 0 {
		l.heard.Store(true) // first: a tick that finds something owed by then knows of it
		l.owed.Store(false)
	}
	if err != nil && l.silent.Load() {
		err = fmt.Errorf("the node said nothing for %s: %w", silence, net.ErrClosed)
	}
	return n, err
}

// onTick goes on until nothing is owed.
func (l *listening) onTick() {
	l.mu.Lock()
	heard, owed := l.heard.Swap(false), l.owed.Load()
	l.ticking = owed && !l.closed
	if l.missed++; heard {
		l.missed = 0
	}
	given := l.ticking && l.missed == ticks
	if l.ticking && !given {
		l.tick.Reset(silence / ticks)
	}
	l.mu.Unlock()
	if given {
		l.silent.Store(true)
		_ = l.Close()
		l.log.Warn("a Cassandra node said nothing on a connection; it is given up", "node", l.RemoteAddr().String(), "for", silence.String())
	}
}

// Close implements net.Conn.
func (l *listening) Close() error {
	l.mu.Lock()
	l.closed = true
	l.tick.Stop()
	l.mu.Unlock()
	return l.Conn.Close()
}
