package socketio

import (
	"net/http"
	"time"
)

// serveUpgrade lets a websocket take over from polling. The client proves the new way with a probe,
// lets its last poll and its last POST return, and says so with an UPGRADE packet; what it sends
// after that comes by websocket. Until then everything goes out by polling.
func (s *session) serveUpgrade(w http.ResponseWriter, r *http.Request) {
	c, ok := s.srv.accept(w, r)
	if !ok {
		return
	}
	s.mu.Lock()
	if s.state != stateOpen || s.ws != nil || s.probe != nil {
		s.mu.Unlock()
		c.abort(reasonUpgrade)
		return
	}
	s.probe, c.sess = c, s
	s.srv.tasks.Go(func() {
		if s.probing(c) {
			s.read(c)
		}
	})
	s.mu.Unlock()
}

// probing leads c through the change-over and tells whether it is the session's transport now.
func (s *session) probing(c *wsConn) bool {
	_ = c.net.SetReadDeadline(time.Now().Add(s.srv.cfg.UpgradeTimeout))
	if !c.expect("2probe") {
		return s.unprobe(c)
	}
	s.mu.Lock()
	c.probed = true
	s.mu.Unlock()
	time.AfterFunc(probePoll, func() { // for the pending poll to return
		s.mu.Lock()
		s.poll.wake()
		s.mu.Unlock()
	})
	if _, err := c.write([]frame{textFrame(enginePong, []byte("probe"))}, true); err != nil {
		return s.unprobe(c)
	}
	if !c.expect("5") {
		return s.unprobe(c)
	}
	_ = c.net.SetReadDeadline(time.Time{})

	s.mu.Lock()
	if s.state == stateClosed {
		s.mu.Unlock()
		return s.unprobe(c)
	}
	s.ws, s.probe = c, nil // at once: what handles a POST may wait for the client to read
	s.srv.metrics.moved(transportPolling, transportWebSocket)
	s.kick()
	posted := s.posted
	s.mu.Unlock()
	if posted != nil {
		<-posted // whatever POSTs brought comes before what the websocket brings
	}
	return true
}

// unprobe gives a websocket up that did not make it; the session goes on polling.
func (s *session) unprobe(c *wsConn) bool {
	s.mu.Lock()
	if s.probe == c {
		s.probe = nil
	}
	s.mu.Unlock()
	c.abort(reasonUpgrade)
	return false
}

// expect reads a message that can only be text.
func (c *wsConn) expect(text string) bool {
	data, binary, err := c.in.next()
	return err == nil && !binary && string(data) == text
}
