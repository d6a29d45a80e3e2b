package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
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

// textBytes is how long each message's text is. It begins with its number.
const textBytes = 100

const numberDigits = 8

func textOf(n int64) string {
	return fmt.Sprintf("%0*d ", numberDigits, n) + strings.Repeat("how much is it? ", textBytes/16+1)[:textBytes-numberDigits-1]
}

// talk is a conversation as its sender and its recipients know it.
type talk struct {
	load   *load
	id     string
	sender *wire.Conn

	mu   sync.Mutex // guards what follows
	n    int64      // of the last message
	sent map[int64]*pending
}

// pending is a message that somebody is still to hear of.
type pending struct {
	due   time.Time
	run   *run
	acked bool
	left  int // recipients
}

const recipients = 2

// say sends the next message of a conversation. They are sent in the order of their numbers.
func (t *talk) say(r *run, due time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
	t.sent[t.n] = &pending{due: due, run: r, left: recipients}
	r.under.enter()
	r.count.Add(1)
	payload := `42/chat,` + strconv.FormatInt(t.n, 10) + `["send:message",{"conversationId":"` + t.id + `","message":"` + textOf(t.n) + `"}]`
	if t.n == 1 {
		t.load.mu.Lock()
		t.load.sample.Sent = payload
		t.load.mu.Unlock()
	}
	t.sender.Queue(payload)
	return t.sender.Send()
}

func (t *talk) acknowledged(n int64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.sent[n]
	if p == nil || p.acked || !ok {
		t.load.fault("message %d of %s: acknowledged with %v, expected: %v", n, t.id, ok, p != nil && !p.acked)
		return
	}
	p.acked = true
	p.run.acked.since(p.due)
	t.forget(n, p)
}

func (t *talk) delivered(n int64) {
	t.mu.Lock()
	p := t.sent[n]
	if p == nil || p.left == 0 {
		t.mu.Unlock()
		t.load.fault("message %d of %s came once too often, or was never sent", n, t.id)
		return
	}
	p.left--
	complete := p.left == 0
	if complete {
		p.run.heard.since(p.due)
		p.run.last.Store(int64(time.Since(p.run.start)))
		t.forget(n, p)
	}
	r := p.run
	t.mu.Unlock()
	if complete && r.order.PerSecond == 0 && !r.stopping.Load() {
		if err := t.say(r, time.Now()); err != nil {
			t.load.fault("send: %v", err)
		}
	}
}

// forget drops a message of which nothing more is to come. t.mu is held.
func (t *talk) forget(n int64, p *pending) {
	if p.acked && p.left == 0 {
		delete(t.sent, n)
		p.run.under.leave()
	}
}

// ear is what one connection has heard; only its reader uses it.
type ear struct {
	talk   *talk
	member int
	joined chan struct{}
	last   int64
}

var (
	newMessage  = []byte(`42/chat,["new:message",`)
	anException = []byte(`42/chat,["exception",`)
	anAck       = []byte(`43/chat,`)
	anError     = []byte(`44/chat,`)
	seqField    = []byte(`"seq":`)
	textField   = []byte(`"message":"`)
	okField     = []byte(`"ok":true`)
)

// message checks one that came: messages must come in the order of their numbers, each once, and none left out.
func (e *ear) message(payload []byte) error {
	switch {
	case bytes.HasPrefix(payload, newMessage):
		e.hear(payload)
	case bytes.HasPrefix(payload, anAck):
		rest := payload[len(anAck):]
		n, size := number(rest)
		ok := bytes.Contains(rest, okField)
		if n == 0 {
			if !ok {
				return fmt.Errorf("not joined: %s", payload)
			}
			close(e.joined)
			return nil
		}
		if size > 0 && n == 1 {
			e.talk.load.keep(func(s *samples) { s.Ack = string(payload) })
		}
		e.talk.acknowledged(n, ok)
	case bytes.HasPrefix(payload, anException), bytes.HasPrefix(payload, anError):
		e.talk.load.fault("%s", payload)
	}
	return nil // others, such as who came online, are no concern of ours
}

func (e *ear) hear(payload []byte) {
	n, _ := number(after(payload, textField))
	seq, _ := number(after(payload, seqField))
	if n != e.last+1 || seq != n && !e.talk.load.bare {
		e.talk.load.fault("%s: message %d with seq %d came after %d", e.talk.id, n, seq, e.last)
	}
	e.last = n
	if e.member > 0 {
		e.talk.delivered(n)
	} else if n == 1 {
		e.talk.load.keep(func(s *samples) { s.Message = string(payload) })
	}
}

func (l *load) keep(note func(*samples)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	note(&l.sample)
}

func after(payload, mark []byte) []byte {
	_, rest, _ := bytes.Cut(payload, mark)
	return rest
}

// number reads the digits that a text begins with.
func number(text []byte) (n int64, size int) {
	for size < len(text) && text[size] >= '0' && text[size] <= '9' {
		n = n*10 + int64(text[size]-'0')
		size++
	}
	return n, size
}

// complain prints what should not have happened.
func complain(faults []string) {
	for _, f := range faults {
		fmt.Fprintln(os.Stderr, "pipeline:", f)
	}
}
