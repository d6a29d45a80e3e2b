package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// load is the client process: its connections, and what it does with them.
type load struct {
	conns   []*conn
	readers sync.WaitGroup
	leaving atomic.Bool
	broken  atomic.Int64 // connections that ended while nobody wanted to leave

	acks    atomic.Int64 // acknowledgements still to come
	members atomic.Int64 // of the room
	heard   atomic.Int64 // room messages that arrived, over all connections
	news    chan struct{}
}

// text is what is sent: a hundred bytes.
var text = strings.Repeat("0123456789", 10)

// errUnanswered is of acknowledgements that did not come.
var errUnanswered = errors.New("acknowledgements did not come")

// stalled is after how long without any news what is still to come counts as lost.
const stalled = 10 * time.Second

func serveLoad(in io.Reader, out io.Writer) error {
	l := &load{news: make(chan struct{}, 1)}
	return answer(in, out, l.do)
}

func (l *load) do(c command) (any, error) {
	if broken := l.broken.Load(); broken > 0 {
		return nil, fmt.Errorf("%d connections were lost", broken)
	}
	switch c.Do {
	case "connect":
		return l.connect(c.Address, c.Bare, c.Count)
	case "join":
		l.members.Store(int64(len(l.conns)))
		return struct{}{}, l.ask(l.conns, 1, len(l.conns), `420["join"]`)
	case "echo":
		return struct{}{}, l.ask(l.conns[:min(c.Conns, len(l.conns))], c.Window, c.Count, `420["echo","`+text+`"]`)
	case "room":
		return l.room(c)
	case "witness":
		return l.witness(c)
	case "storm":
		return l.storm(c)
	case "leave":
		l.leave()
		return struct{}{}, nil
	}
	return nil, errors.New("not a command of the client")
}

// start reads a connection on a goroutine of its own.
func (l *load) start(c *conn) {
	c.said = func(n int) {
		now := l.heard.Add(int64(n))
		if m := l.members.Load(); m > 0 && now/m != (now-int64(n))/m {
			l.tell()
		}
	}
	c.acked = func() {
		if c.left.Add(-1) >= 0 {
			c.Queue(c.question)
		}
		if l.acks.Add(-1) == 0 {
			l.tell()
		}
	}
	l.readers.Go(func() {
		if err := c.read(); !l.leaving.Load() {
			if l.broken.Add(1) == 1 { // the first tells enough
				fmt.Fprintln(os.Stderr, "sockets: client:", err)
			}
		}
	})
}

func (l *load) tell() {
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// ask sends question count times, in equal shares over conns, with at most window of them unanswered
// on each, and returns when all are answered.
func (l *load) ask(conns []*conn, window, count int, question string) error {
	if len(conns) == 0 {
		return errors.New("no connection is open")
	}
	share := count / len(conns)
	l.acks.Store(int64(share * len(conns)))
	for _, c := range conns {
		c.question = question
		c.left.Store(int64(share - min(window, share)))
	}
	for _, c := range conns {
		for range min(window, share) {
			c.Queue(question)
		}
		if err := c.Send(); err != nil {
			return err
		}
	}
	for last := l.acks.Load(); ; last = l.acks.Load() {
		if last == 0 {
			return nil
		}
		select {
		case <-l.news:
		case <-time.After(stalled):
			if l.acks.Load() == last {
				return fmt.Errorf("%d %w", last, errUnanswered)
			}
		}
	}
}

// said is how a room got its messages.
type said struct {
	Deliveries int     `json:"deliveries"`
	Lost       int     `json:"lost"`
	Seconds    float64 `json:"seconds"`
}

// room lets one member say Count things: one every EverySec, or, where that is 0, as many as keep
// Window messages on their way to the room. It returns when everybody has heard all, or nothing comes
// any more.
func (l *load) room(c command) (said, error) {
	began, members, speaker := time.Now(), l.members.Load(), l.conns[0]
	all := int64(c.Count) * members
	l.heard.Store(0)
	sent, before, since := 0, int64(0), began
	for {
		heard := l.heard.Load()
		if heard != before {
			before, since = heard, time.Now()
		}
		if heard == all || time.Since(since) > stalled {
			return said{Deliveries: int(heard), Lost: int(all - heard), Seconds: time.Since(began).Seconds()}, nil
		}
		due, wait := int(heard/members)+c.Window, time.Second
		if every := time.Duration(c.EverySec * float64(time.Second)); every > 0 {
			elapsed := time.Since(began)
			due, wait = int(elapsed/every)+1, every-elapsed%every
		}
		for ; sent < min(c.Count, due); sent++ {
			speaker.Queue(`42["say","` + text + `"]`)
		}
		if err := speaker.Send(); err != nil {
			return said{}, err
		}
		select {
		case <-l.news:
		case <-time.After(wait):
		}
	}
}

// leave cuts every connection, as a client that is closed does.
func (l *load) leave() {
	l.leaving.Store(true)
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.readers.Wait()
	l.conns = nil
	l.leaving.Store(false)
}
