package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dozaar/dozaar/loadtest/bench"
	"github.com/dozaar/dozaar/loadtest/wire"
)

// loadCommand is what the client process is asked.
type loadCommand struct {
	Do string `json:"do"`

	Senders       string         `json:"senders,omitempty"`    // address of the gateway with the senders
	Recipients    string         `json:"recipients,omitempty"` // and of the one with the recipients
	Bare          bool           `json:"bare,omitempty"`       // a websocket alone, at the floor
	Conversations []conversation `json:"conversations,omitempty"`

	Order order `json:"order"`
}

// conversation is one of the client's: who is in it, the sender first.
type conversation struct {
	ID     string   `json:"id"`
	Tokens []string `json:"tokens"`
}

// load is the client process.
type load struct {
	talks   []*talk
	conns   []*wire.Conn
	readers sync.WaitGroup
	leaving atomic.Bool
	bare    bool

	mu     sync.Mutex // guards what follows
	faults []string   // what should not have happened; the first few
	sample samples

	round atomic.Pointer[run]
}

// samples are payloads as the gateways sent them, for the floor to send the same.
type samples struct {
	Sent    string `json:"sent"` // the client's own
	Ack     string `json:"ack"`
	Message string `json:"message"`
}

// run is one order being carried out.
type run struct {
	order    order
	start    time.Time
	under    gate
	acked    *latencies
	heard    *latencies // by both recipients
	last     atomic.Int64
	count    atomic.Int64
	stopping atomic.Bool
}

// heard is how an order of messages went.
type heard struct {
	outcome
	Acked  quantiles `json:"acked"`
	Faults []string  `json:"faults"`
}

func serveLoad(in io.Reader, out io.Writer) error {
	l := &load{}
	return bench.Answer(in, out, l.do)
}

func (l *load) do(c loadCommand) (any, error) {
	switch c.Do {
	case "connect":
		return struct{}{}, l.connect(c)
	case "run":
		return l.run(c.Order)
	case "samples":
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.sample, nil
	case "leave":
		l.leave()
		return struct{}{}, nil
	}
	return nil, errors.New("not a command of the client: " + c.Do)
}

// fault notes what should not have happened.
func (l *load) fault(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.faults) < 10 {
		l.faults = append(l.faults, fmt.Sprintf(format, args...))
	}
}

// connectsAtOnce is how many connections are on their way at the same time.
const connectsAtOnce = 16

// connect opens a connection for each member of each conversation, and joins it.
func (l *load) connect(c loadCommand) error {
	l.bare = c.Bare
	l.talks = make([]*talk, len(c.Conversations))
	var next atomic.Int64
	failed := make(chan error, connectsAtOnce)
	var all sync.WaitGroup
	for range connectsAtOnce {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(c.Conversations); i = int(next.Add(1)) - 1 {
				if err := l.open(i, c); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	all.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func (l *load) open(i int, c loadCommand) error {
	t := &talk{load: l, id: c.Conversations[i].ID, sent: map[int64]*pending{}}
	for member, token := range c.Conversations[i].Tokens {
		to := wire.Target{Address: c.Recipients, Bare: c.Bare, Connect: `40/chat,{"token":"` + token + `"}`}
		if member == 0 {
			to.Address = c.Senders
		}
		if c.Bare {
			to.Query = fmt.Sprintf("&conversation=%d&member=%d", i, member)
		}
		conn, err := wire.Dial(context.Background(), to)
		if err != nil {
			return err
		}
		l.mu.Lock()
		l.conns = append(l.conns, conn)
		l.mu.Unlock()
		if err := l.listen(t, member, conn); err != nil {
			return err
		}
	}
	l.mu.Lock()
	l.talks[i] = t
	l.mu.Unlock()
	return nil
}

// listen reads a connection from now on, and waits until it has joined its conversation.
func (l *load) listen(t *talk, member int, conn *wire.Conn) error {
	e := &ear{talk: t, member: member, joined: make(chan struct{})}
	if member == 0 {
		t.sender = conn
	}
	l.readers.Go(func() {
		if err := conn.Read(e.message, func() {}); !l.leaving.Load() {
			l.fault("a connection ended: %v", err)
		}
	})
	conn.Queue(`42/chat,0["join:conversation",{"conversationId":"` + t.id + `"}]`)
	if err := conn.Send(); err != nil {
		return err
	}
	select {
	case <-e.joined:
		return nil
	case <-time.After(stalled):
		return errors.New("a join was not acknowledged")
	}
}

// run carries an order out and waits until everybody has heard everything.
func (l *load) run(o order) (heard, error) {
	r := &run{order: o, start: time.Now(), acked: newLatencies(), heard: newLatencies()}
	l.round.Store(r)
	var err error
	if o.PerSecond > 0 {
		i := 0
		_, err = pace(o.PerSecond, o.length(), func(due time.Time) error {
			t := l.talks[i%len(l.talks)]
			i++
			return t.say(r, due)
		})
	} else {
		for i := range o.Window {
			if err == nil {
				err = l.talks[i%len(l.talks)].say(r, time.Now())
			}
		}
		time.Sleep(o.length())
		r.stopping.Store(true)
	}
	if err != nil {
		return heard{}, err
	}
	lost := r.under.drain()
	l.mu.Lock()
	defer l.mu.Unlock()
	return heard{
		outcome: outcome{r.count.Load(), lost, time.Duration(r.last.Load()).Seconds(), r.heard.quantiles()},
		Acked:   r.acked.quantiles(), Faults: l.faults,
	}, nil
}

func (l *load) leave() {
	l.leaving.Store(true)
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.readers.Wait()
	l.conns, l.talks = nil, nil
	l.leaving.Store(false)
}

func (l *load) keep(note func(*samples)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	note(&l.sample)
}

// complain prints what should not have happened.
func complain(faults []string) {
	for _, f := range faults {
		fmt.Fprintln(os.Stderr, "pipeline:", f)
	}
}
