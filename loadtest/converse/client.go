package converse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/loadtest/bench"
	"github.com/dozaar/dozaar/loadtest/wire"
)

// Command is what the client process is asked: connect, run, storm, samples, leave.
type Command struct {
	Do string `json:"do"`

	Dialect       string         `json:"dialect,omitempty"`
	Senders       string         `json:"senders,omitempty"`    // address of the server with the senders
	Recipients    string         `json:"recipients,omitempty"` // and of the one with the recipients
	Conversations []Conversation `json:"conversations,omitempty"`
	Slow          int            `json:"slow,omitempty"`  // how many recipients of each conversation read less than comes
	Speed         int            `json:"speed,omitempty"` // the bytes a second that they read

	Order Order `json:"order"`
}

// Conversation is one of the client's: who is in it, the sender first.
type Conversation struct {
	ID     string   `json:"id"`
	Tokens []string `json:"tokens"`
}

// client is the client process.
type client struct {
	dialect dialect
	crowd   Command // who was connected, and where to
	talks   []*talk
	readers sync.WaitGroup

	mu     sync.Mutex // guards what follows
	ears   []*ear
	faults Faults
	sample Samples

	round  atomic.Pointer[run]
	absent atomic.Int64 // who has lost the connection, and is to come back
}

// Samples are frames as they went to and fro, for a floor to send the same.
type Samples struct {
	Sent    string `json:"sent"` // the client's own
	Ack     string `json:"ack"`
	Message string `json:"message"`
}

// Faults is what should not have happened since the order before, or since the client has connected.
type Faults struct {
	Lost       int64    `json:"lost"` // not acknowledged, or not come to all, the sender among them
	Duplicated int64    `json:"duplicated"`
	Reordered  int64    `json:"reordered"`
	Altered    int64    `json:"altered"` // another text, or another conversation's
	Refused    int64    `json:"refused"`
	First      []string `json:"first"` // the first few
}

// None tells that there was none.
func (f Faults) None() bool { return f.All() == 0 }

// All is how many there were.
func (f Faults) All() int64 { return f.Lost + f.Duplicated + f.Reordered + f.Altered + f.Refused }

type faultKind int

const (
	duplicated faultKind = iota
	reordered
	altered
	refused
)

// run is one order being carried out.
type run struct {
	order    Order
	start    time.Time
	under    gate
	acked    *latencies
	heard    *latencies // by all recipients
	away     *latencies // who lost the connection, until they had joined again
	last     atomic.Int64
	count    atomic.Int64
	stopping atomic.Bool
}

// Heard is how an order of messages went.
type Heard struct {
	Outcome
	Acked  Quantiles `json:"acked"`
	Faults Faults    `json:"faults"`
	Back   int64     `json:"back"` // how many connections were lost and opened again
	Away   Quantiles `json:"away"` // for how long each
}

// Serve is the client process: it answers commands until in ends.
func Serve(in io.Reader, out io.Writer) error { return bench.Answer(in, out, new(client).do) }

func (l *client) do(c Command) (any, error) {
	switch c.Do {
	case "connect":
		return struct{}{}, l.connect(c)
	case "run":
		return l.run(c.Order)
	case "storm":
		return l.storm()
	case "samples":
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.sample, nil
	case "leave":
		l.leave()
		return l.found(), nil
	}
	return nil, errors.New("not a command of the client: " + c.Do)
}

// firstFaults is how many are told word for word.
const firstFaults = 10

// fault notes what should not have happened.
func (l *client) fault(kind faultKind, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*map[faultKind]*int64{duplicated: &l.faults.Duplicated, reordered: &l.faults.Reordered, altered: &l.faults.Altered, refused: &l.faults.Refused}[kind]++
	if len(l.faults.First) < firstFaults {
		l.faults.First = append(l.faults.First, fmt.Sprintf(format, args...))
	}
}

// connectsAtOnce is how many connections are on their way at the same time.
const connectsAtOnce = 16

// connect opens a connection for each member of each conversation, and joins it.
func (l *client) connect(c Command) (err error) {
	if l.dialect, err = dialectOf(c.Dialect); err != nil {
		return err
	}
	l.crowd = c
	l.talks = make([]*talk, len(c.Conversations))
	for i, conversation := range c.Conversations {
		l.talks[i] = &talk{client: l, id: conversation.ID, recipients: len(conversation.Tokens) - 1 - c.Slow, sent: map[int64]*pending{}}
	}
	all, ctx := errgroup.WithContext(context.Background())
	all.SetLimit(connectsAtOnce)
	for i, conversation := range c.Conversations {
		for member := range conversation.Tokens {
			all.Go(func() error {
				if ctx.Err() != nil {
					return nil // another one has failed
				}
				address := c.Recipients // the sender is on one server, all others are on the other
				if member == 0 {
					address = c.Senders
				}
				return l.open(i, member, address, nil)
			})
		}
	}
	return all.Wait()
}

// open opens one member's connection, and joins: from where they were, or as somebody new.
func (l *client) open(i, member int, address string, from *position) (err error) {
	conversation, t := l.crowd.Conversations[i], l.talks[i]
	e := &ear{talk: t, conversation: i, member: member, slow: member > 0 && member <= l.crowd.Slow, joined: make(chan error, 1)}
	to := l.dialect.target(conversation, member, address)
	if e.slow {
		to.Speed, from = l.crowd.Speed, nil
	}
	conn, err := wire.Dial(context.Background(), to)
	if err != nil {
		return err
	}
	e.conn = conn
	defer func() {
		if err != nil {
			e.end()
		}
	}()
	if err := l.dialect.greet(conn, conversation.Tokens[member]); err != nil {
		return err
	}
	t.mu.Lock()
	switch {
	case from == nil:
		e.at.last = t.n
	case l.dialect.resumes():
		e.at = *from
	default:
		e.at.last = unknown
	}
	if member == 0 {
		t.sender = conn
	}
	t.mu.Unlock()
	l.readers.Go(func() {
		if err := conn.Read(e.frame, func() {}); !e.ended.Load() {
			l.cutOff(e, err)
		}
	})
	conn.Queue(l.dialect.join(conversation, from))
	if err := conn.Send(); err != nil {
		return err
	}
	select {
	case err = <-e.joined:
	case <-time.After(stalled):
		err = errors.New("a join was not acknowledged")
	}
	if err == nil {
		l.mu.Lock()
		l.ears = append(l.ears, e)
		l.mu.Unlock()
	}
	return err
}

// run carries an order out and waits until everybody has heard everything.
func (l *client) run(o Order) (Heard, error) {
	r := &run{order: o, start: time.Now(), acked: newLatencies(), heard: newLatencies(), away: newLatencies()}
	l.round.Store(r)
	defer l.round.Store(nil)
	var err error
	if o.PerSecond > 0 {
		i := 0
		_, err = pace(o.PerSecond, o.Length(), func(due time.Time) error {
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
		time.Sleep(o.Length())
		r.stopping.Store(true)
	}
	if err != nil {
		return Heard{}, err
	}
	lost := r.under.drain()
	for l.absent.Load() > 0 {
		time.Sleep(time.Millisecond)
	}
	faults := l.found()
	faults.Lost += lost
	return Heard{
		Outcome: Outcome{r.count.Load(), lost, time.Duration(r.last.Load()).Seconds(), r.heard.quantiles()},
		Acked:   r.acked.quantiles(), Faults: faults, Back: r.away.count(), Away: r.away.quantiles(),
	}, nil
}

// found are the faults that nobody has been told of yet.
func (l *client) found() (f Faults) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, l.faults = l.faults, f
	return f
}

func (l *client) leave() {
	l.mu.Lock()
	ears := l.ears
	l.ears = nil
	l.mu.Unlock()
	for _, e := range ears {
		e.end()
	}
	l.readers.Wait()
	l.talks = nil
}

func (l *client) keep(note func(*Samples)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	note(&l.sample)
}
