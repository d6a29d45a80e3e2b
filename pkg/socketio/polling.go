package socketio

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"
)

// probePoll is how long a poll waits while a websocket is about to take over: long enough that an
// UPGRADE which is on its way comes first, short enough that nobody notices.
const probePoll = 20 * time.Millisecond

// maxPacketsPerPoll is how many packets one poll is answered with: python-socketio takes no more. The rest waits for
// the next poll.
const maxPacketsPerPoll = 16

// poll is a GET that waits for something to send. Its fields are guarded by its session's mu.
type poll struct {
	woken   chan struct{}
	probing bool   // it began when a websocket had proven itself
	reason  string // why the session was aborted under it
}

// wake makes the poll look again. Like end, it works on nil, which is no poll.
func (p *poll) wake() {
	if p == nil {
		return
	}
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

func (p *poll) end(reason string) {
	if p != nil {
		p.reason = reason
		p.wake()
	}
}

// servePoll answers a GET with what waits, as soon as something does.
func (s *session) servePoll(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	switch {
	case s.owed:
		s.owed = false
		s.mu.Unlock()
		_ = s.respond(w, []byte{engineNoop})
		return
	case s.state == stateClosed, s.ws != nil:
		s.mu.Unlock()
		s.srv.reject(w, http.StatusBadRequest, codeBadRequest)
		return
	case s.overdue():
		s.mu.Unlock()
		s.abort(ReasonPingTimeout)
		s.srv.reject(w, http.StatusBadRequest, codeBadRequest)
		return
	case s.poll != nil:
		s.mu.Unlock()
		s.abort(ReasonParseError)
		s.srv.reject(w, http.StatusBadRequest, codeBadRequest)
		return
	}
	p := &poll{woken: make(chan struct{}, 1), probing: s.probe != nil && s.probe.probed}
	s.poll = p
	ready := len(s.queue.frames) > 0 || s.state == stateDraining
	s.mu.Unlock()

	if !ready && !p.wait(r) {
		s.mu.Lock()
		gone := s.poll == p
		s.mu.Unlock()
		if gone {
			s.abort(ReasonTransportError)
		}
		return
	}
	s.answerPoll(w, p)
}

// wait returns when the poll is woken; false when the client gave it up.
func (p *poll) wait(r *http.Request) bool {
	var soon <-chan time.Time
	if p.probing {
		soon = time.After(probePoll)
	}
	select {
	case <-p.woken:
	case <-soon:
	case <-r.Context().Done():
		return false
	}
	return true
}

// answerPoll writes what waits. With nothing to say a NOOP is the answer, or CLOSE where the session is over
// or drains. CLOSE never stands behind what waits: the official client acts on it before it has handed on what came
// with it, and would take a kick for a cut.
func (s *session) answerPoll(w http.ResponseWriter, p *poll) {
	s.mu.Lock()
	if p.reason != "" {
		s.mu.Unlock()
		if p.reason == ReasonTransportClose { // the client's own wish
			_ = s.respond(w, []byte{engineNoop})
		} else {
			_ = s.respond(w, []byte{engineClose})
		}
		return
	}
	s.poll = nil
	if s.ws != nil { // a client that said UPGRADE has no business here
		s.mu.Unlock()
		s.srv.reject(w, http.StatusBadRequest, codeBadRequest)
		return
	}
	batch := s.queue.takeSome(maxPacketsPerPoll)
	last := s.state == stateDraining && len(batch) == 0
	s.mu.Unlock()

	body := encodePayload(batch)
	switch {
	case last:
		body = []byte{engineClose}
	case len(body) == 0:
		body = []byte{engineNoop}
	}
	err := s.respond(w, body)
	s.mu.Lock()
	s.sent(batch)
	s.mu.Unlock()
	if last || err != nil {
		s.abort(ReasonTransportError)
	}
}

func (s *session) respond(w http.ResponseWriter, body []byte) error {
	err := s.srv.respond(w, http.StatusOK, "text/plain; charset=UTF-8", body)
	s.srv.metrics.sent.Add(float64(len(body)))
	return err
}

// respond writes a whole answer within WriteTimeout: a client that reads none of its answers is cut off. Before a
// refusal net/http may read what is left of the request's body, for as long again.
func (s *Server) respond(w http.ResponseWriter, status int, contentType string, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	ctl := http.NewResponseController(w)
	within := s.cfg.WriteTimeout
	if status != http.StatusOK {
		within *= 2
	}
	_ = ctl.SetWriteDeadline(time.Now().Add(within))
	w.WriteHeader(status)
	_, err := w.Write(body)
	if flushed := ctl.Flush(); err == nil && !errors.Is(flushed, http.ErrNotSupported) {
		err = flushed
	}
	_ = ctl.SetWriteDeadline(time.Time{})
	return err
}

// answerWithin is for how long a POST may be handled before it is answered, and postOverhead what it counts for until it is, beside
// its bytes.
const (
	answerWithin = 200 * time.Millisecond
	postOverhead = 4096
)

// servePost handles the packets of a POST, in order.
func (s *session) servePost(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	switch {
	case s.state != stateOpen, s.ws != nil:
		s.mu.Unlock()
		s.srv.reject(w, http.StatusBadRequest, codeBadRequest)
		return
	case s.posting: // two at a time have no order
		s.mu.Unlock()
		s.abort(ReasonParseError)
		s.srv.reject(w, http.StatusBadRequest, codeBadRequest)
		return
	}
	s.posting, s.body = true, http.NewResponseController(w)
	s.mu.Unlock()

	payload, reason := s.readPost(w, r)
	if reason == "" {
		reason = s.handlePost(payload)
	}
	s.mu.Lock()
	s.posting = false // before the answer: the next POST follows on its heels
	s.mu.Unlock()
	switch reason {
	case "":
		_ = s.srv.respond(w, http.StatusOK, "text/html", []byte("ok"))
	case ReasonTooLarge:
		s.abort(reason)
		s.srv.reject(w, http.StatusRequestEntityTooLarge, codeTooLarge)
	default:
		s.abort(reason)
		s.srv.reject(w, http.StatusBadRequest, codeBadRequest)
	}
}

func (s *session) readPost(w http.ResponseWriter, r *http.Request) (payload []byte, reason string) {
	defer func() {
		s.mu.Lock()
		s.body = nil
		s.mu.Unlock()
	}()
	limit := int64(s.payloadLimit())
	if r.ContentLength > limit {
		return nil, ReasonTooLarge
	}
	if r.Header.Get("Content-Type") == "application/octet-stream" {
		return nil, ReasonParseError // of protocol 3
	}
	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err == nil {
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, ReasonTooLarge
	case err != nil:
		return nil, ReasonTransportError
	case !utf8.Valid(payload):
		return nil, ReasonBadText
	}
	return payload, ""
}

// handlePost has the packets of a POST handled, after those of the POSTs before it. It returns when they are, or after
// answerWithin: a client that is about to change to websocket does not read before its POST is answered, and what handles
// it may wait for just that. As much as a payload may wait so; more is answered when it has been handled.
func (s *session) handlePost(payload []byte) (reason string) {
	cost := len(payload) + postOverhead
	handled, outcome := make(chan struct{}), make(chan string, 1)
	s.mu.Lock()
	if s.state != stateOpen {
		s.mu.Unlock()
		return s.broken()
	}
	before := s.posted
	s.posted = handled
	s.unhandled += cost
	var late <-chan time.Time
	if s.unhandled <= s.payloadLimit() {
		timer := time.NewTimer(answerWithin)
		defer timer.Stop()
		late = timer.C
	}
	s.srv.tasks.Go(func() {
		defer close(handled)
		if before != nil {
			<-before
		}
		reason := s.receivePayload(payload)
		if reason != "" {
			s.abort(reason)
		}
		s.mu.Lock()
		s.unhandled -= cost
		s.mu.Unlock()
		outcome <- reason
	})
	s.mu.Unlock()
	select {
	case reason = <-outcome:
	case <-late:
	}
	return reason
}

// receivePayload handles packets until one ends the session; it is "" too where that was in order.
func (s *session) receivePayload(payload []byte) (reason string) {
	packets, err := decodePayload(payload)
	if err != nil {
		return ReasonParseError
	}
	s.inbound.Lock()
	defer s.inbound.Unlock()
	for _, p := range packets {
		if !s.receive(p.data, p.binary, false) {
			return s.broken()
		}
	}
	return ""
}

// enginePacket is one packet of a payload; of a binary one, only the bytes.
type enginePacket struct {
	data   []byte
	binary bool
}

// decodePayload splits a polling payload. All of it must be well formed.
func decodePayload(payload []byte) ([]enginePacket, error) {
	packets := make([]enginePacket, 0, bytes.Count(payload, []byte{separator})+1)
	for more := true; more; {
		var part []byte
		part, payload, more = bytes.Cut(payload, []byte{separator})
		switch {
		case len(part) == 0:
			return nil, malformed("empty packet")
		case part[0] == 'b':
			data, err := base64.StdEncoding.Strict().DecodeString(string(part[1:]))
			if err != nil {
				return nil, malformed("base64")
			}
			packets = append(packets, enginePacket{data: data, binary: true})
		case part[0] < engineOpen || part[0] > engineNoop:
			return nil, malformed("unknown packet type")
		default:
			packets = append(packets, enginePacket{data: part[:len(part):len(part)]})
		}
	}
	return packets, nil
}

// encodePayload joins frames into a polling payload.
func encodePayload(batch []frame) []byte {
	size := 0
	for _, f := range batch {
		size += 2 + base64.StdEncoding.EncodedLen(len(f.payload()))
	}
	body := make([]byte, 0, size)
	for i, f := range batch {
		if i > 0 {
			body = append(body, separator)
		}
		if f.binary {
			body = append(body, 'b')
			body = base64.StdEncoding.AppendEncode(body, f.payload())
		} else {
			body = append(body, f.payload()...)
		}
	}
	return body
}
