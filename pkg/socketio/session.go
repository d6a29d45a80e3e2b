package socketio

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// layer is what lives on a session's messages: Socket.IO, or in tests an echo.
type layer interface {
	// message is called for each message in order, with inbound held. It may keep data. A reason
	// that is not empty ends the session.
	message(data []byte, binary bool) (reason string)
	// cut is called once, as soon as the end is decided, though a message may still be handled then. The
	// session's mu is held.
	cut()
	// begin is called once, when the session is open; ended may have been called before.
	begin()
	// ended is called once, with inbound held, after the last message.
	ended(reason string)
}

type sessionState uint8

const (
	stateOpen     sessionState = iota
	stateDraining              // sends what waits, takes and gives nothing more
	stateClosed
)

// session is one Engine.IO session: it outlives its transport when polling gives way to websocket.
//
// A session ends in two steps that may be one. Its layer hears of the end as soon as it is decided
// (leave); the transport closes at once (abort), or after what waits has been sent (drain).
type session struct {
	srv     *Server
	writer  *writer
	id      string
	remote  string
	header  packedHeader
	query   string // raw, never logged
	ctx     context.Context
	cancel  context.CancelFunc
	overlay layer
	place   *place // its share of its address's connections; nil: not counted

	inbound sync.Mutex // held while a packet is handled; taken before mu

	known    atomic.Bool // has joined a namespace, if only once
	over     atomic.Bool // no packet is handled any more
	replying atomic.Bool // what is sent next is likely to be the answer, and all of it, to what was read last

	mu        sync.Mutex // guards what follows
	state     sessionState
	reason    string                   // why it is over; the layer has been told, or is about to be
	ws        *wsConn                  // nil while polling
	probe     *wsConn                  // a websocket that wants to take over
	poll      *poll                    // the GET that waits
	posting   bool                     // a POST is not answered yet
	posted    chan struct{}            // closed when the last POST is handled; nil: there was none
	unhandled int                      // what POSTs that are not handled yet cost
	body      *http.ResponseController // of the POST that is being read
	chatter   meter
	queue     sendQueue
	leaving   bool      // Shutdown has come to it: nobody waits for its queue any more
	took      bool      // something was sent since busy last asked
	spare     []frame   // the last batch's array, for reuse
	writing   bool      // a goroutine writes to ws
	pinged    bool      // a pong is awaited
	owed      bool      // the client closed by POST; the poll that it had on the way is answered once
	due       time.Time // of the next ping, or of the pong
	beat      *time.Timer
	deadline  *time.Timer // of draining
}

func newSession(srv *Server, r *http.Request) *session {
	s := &session{
		srv: srv, writer: srv.nextWriter(), id: rand.Text(), remote: r.RemoteAddr,
		header: packHeader(r.Header), query: strings.Clone(r.URL.RawQuery), // of its path, which may be long, nothing is kept
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// heartbeat runs whenever the timer fires: a ping is due, or a pong overdue.
func (s *session) heartbeat() {
	s.mu.Lock()
	if s.state != stateOpen {
		s.mu.Unlock()
		return
	}
	if s.pinged {
		busy := s.busy()
		if busy {
			s.due = time.Now().Add(s.srv.cfg.PingTimeout)
			s.beat.Reset(s.srv.cfg.PingTimeout)
		}
		s.mu.Unlock()
		if busy {
			s.send(s.srv.ping) // nobody reads while a packet is handled: a client that is gone shows by a write that fails
		} else {
			s.abort(ReasonPingTimeout)
		}
		return
	}
	s.pinged = true
	s.due = s.due.Add(s.srv.cfg.PingTimeout) // from when the ping was due, however late the timer came
	s.beat.Reset(time.Until(s.due))
	s.mu.Unlock()
	s.send(s.srv.ping)
}

// busy says whether a pong may be waiting behind what is being handled, from a client that has taken
// all that it was sent, or some of it since it was last asked about. mu is held.
func (s *session) busy() bool {
	taking := s.took || s.queue.bytes == 0
	s.took = false
	if s.inbound.TryLock() {
		s.inbound.Unlock()
		return false
	}
	return taking
}

// startBeat begins the heartbeat. The session is not shared yet, or mu is held.
func (s *session) startBeat() {
	s.due = time.Now().Add(s.srv.cfg.PingInterval)
	s.beat = time.AfterFunc(s.srv.cfg.PingInterval, s.heartbeat)
}

// overdue says whether a pong should have come by now, though the timer may be late. mu is held.
func (s *session) overdue() bool { return s.pinged && !time.Now().Before(s.due) }

func (s *session) ponged() {
	s.mu.Lock()
	if s.pinged && s.state == stateOpen {
		s.pinged = false
		s.due = time.Now().Add(s.srv.cfg.PingInterval)
		s.beat.Reset(s.srv.cfg.PingInterval)
	}
	s.mu.Unlock()
}

// transport is how the session's packets travel right now.
func (s *session) transport() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.transportLocked()
}

func (s *session) transportLocked() string {
	if s.ws != nil {
		return transportWebSocket
	}
	return transportPolling
}

// receive handles one Engine.IO packet; inbound is held. last says that nothing is known to come behind
// it. False when the session is over.
func (s *session) receive(data []byte, binary, last bool) bool {
	if s.over.Load() {
		return false
	}
	s.replying.Store(last)
	s.srv.metrics.received.Add(float64(len(data)))
	if binary {
		return s.deliver(data, true)
	}
	if len(data) == 0 {
		s.abort(ReasonParseError)
		return false
	}
	switch data[0] {
	case engineMessage:
		return s.deliver(data[1:], false)
	case enginePong:
		s.ponged()
		return s.charged()
	case engineNoop:
		return s.charged()
	case engineClose:
		s.mu.Lock()
		s.owed = s.ws == nil && s.poll == nil
		s.mu.Unlock()
		s.abort(ReasonTransportClose)
		return false
	}
	s.abort(ReasonParseError)
	return false
}

// receiveOne is receive with the lock around it, which is let go of also where a handler ends the goroutine.
func (s *session) receiveOne(data []byte, binary, last bool) bool {
	s.inbound.Lock()
	defer s.inbound.Unlock()
	return s.receive(data, binary, last)
}

func (s *session) deliver(data []byte, binary bool) bool {
	if reason := s.overlay.message(data, binary); reason != "" {
		s.abort(reason)
		return false
	}
	return true
}

// charge is called for what the client sent that is no event: see Config.Chatter.
func (s *session) charge() (reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.chatter.spend(time.Now(), s.srv.cfg.Chatter, 1) {
		return ReasonFlood
	}
	return ""
}

func (s *session) charged() bool {
	if reason := s.charge(); reason != "" {
		s.abort(reason)
		return false
	}
	return true
}

// payloadLimit is of one message, in bytes.
func (s *session) payloadLimit() int {
	if s.known.Load() {
		return s.srv.cfg.MaxPayload
	}
	return s.srv.cfg.MaxUnjoinedPayload
}

// broken says what was wrong with what the client sent, if that is what ended the session.
func (s *session) broken() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason == ReasonParseError || s.reason == ReasonFlood {
		return s.reason
	}
	return ""
}

// abort ends the session now; what waits is lost. It never blocks.
func (s *session) abort(reason string) {
	s.mu.Lock()
	if s.state == stateClosed {
		s.mu.Unlock()
		return
	}
	s.state = stateClosed
	s.beat.Stop()
	if s.deadline != nil {
		s.deadline.Stop()
	}
	ws, probe, transport, owed := s.ws, s.probe, s.transportLocked(), s.owed
	s.poll.end(reason)
	s.poll, s.probe = nil, nil
	if s.body != nil { // what is still to come of it is for nobody
		_ = s.body.SetReadDeadline(time.Unix(1, 0))
	}
	s.queue.frames, s.spare = nil, nil
	s.leave(reason)
	s.mu.Unlock()

	s.srv.remove(s, transport, owed)
	s.srv.tasks.Go(func() {
		ws.abort(reason)
		probe.abort(reason)
		s.srv.forget() // the session's own share of Server.tasks
	})
}

// drain ends the session once what waits for the client has been sent, or DrainTimeout is over.
// last goes out behind the rest, past any bound. It never blocks.
func (s *session) drain(reason string, last ...frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateOpen {
		return
	}
	s.state = stateDraining
	s.beat.Stop()
	s.deadline = time.AfterFunc(s.srv.cfg.DrainTimeout, func() { s.abort(reason) })
	for _, f := range last {
		s.queue.push(f)
	}
	s.leave(reason)
	s.kick()
}

// leave tells the layer that the session is over, once the packet being handled is done with. mu is held.
func (s *session) leave(reason string) {
	if s.reason != "" {
		return
	}
	s.reason = reason
	s.over.Store(true)
	s.cancel()
	s.overlay.cut()
	s.srv.metrics.closes.add(reason)
	s.srv.tasks.Go(func() {
		s.inbound.Lock()
		defer s.inbound.Unlock()
		s.overlay.ended(reason)
	})
}
