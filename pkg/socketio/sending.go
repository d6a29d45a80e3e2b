package socketio

// send queues frames, all or none, and never blocks. False when the session takes no more.
func (s *session) send(frames ...frame) bool {
	s.mu.Lock()
	if s.state != stateOpen {
		s.mu.Unlock()
		return false
	}
	cost := 0
	for _, f := range frames {
		cost += f.cost()
	}
	if s.queue.bytes+cost > s.srv.cfg.SendBuffer {
		s.mu.Unlock()
		s.srv.metrics.overflows.Inc()
		s.abort(ReasonSlowClient)
		return false
	}
	for _, f := range frames {
		s.queue.push(f)
	}
	if s.replying && s.ws != nil && !s.writing && len(s.queue.frames) == 1 {
		s.replying, s.writing = false, true
		batch := s.take()
		s.mu.Unlock()
		s.writeNow(batch)
		return true
	}
	s.kick()
	s.mu.Unlock()
	return true
}

// kick gets what waits on its way. mu is held.
func (s *session) kick() {
	switch {
	case s.ws == nil:
		s.poll.wake()
	case !s.writing:
		s.writing = true
		s.srv.tasks.Go(s.write)
	}
}

// write empties the queue into the websocket and ends; there is at most one at a time.
func (s *session) write() {
	for {
		s.mu.Lock()
		if s.state == stateClosed || len(s.queue.frames) == 0 {
			s.writing = false
			finish := s.state == stateDraining
			s.mu.Unlock()
			if finish {
				s.ws.finish()
			}
			return
		}
		batch := s.take()
		s.mu.Unlock()
		n, err := s.ws.write(batch)
		s.written(batch, n, err)
	}
}

// writeNow writes a batch of one frame on the caller's goroutine, as far as the socket takes it without
// waiting. For an answer that costs less than a goroutine that does it; whatever comes in numbers is
// better gathered by one.
func (s *session) writeNow(batch []frame) {
	buf := batch[0].buf
	n, err := s.ws.push(buf)
	if err == nil && n < len(buf) {
		s.spawn(func() {
			m, err := s.ws.put(buf[n:])
			s.written(batch, n+m, err)
			s.write()
		})
		return
	}
	s.written(batch, n, err)
	s.mu.Lock()
	more := len(s.queue.frames) > 0 || s.state != stateOpen
	s.writing = more
	s.mu.Unlock()
	if more {
		s.spawn(s.write)
	}
}

// spawn runs f on a goroutine of its own, unless the session is closed: then the server may be waiting
// for its goroutines already.
func (s *session) spawn(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateClosed {
		s.srv.tasks.Go(f)
	}
}

// take hands over all that waits. mu is held.
func (s *session) take() []frame {
	batch := s.queue.take(s.spare)
	s.spare = nil
	return batch
}

// written notes that a batch has gone out, or has not.
func (s *session) written(batch []frame, n int, err error) {
	s.srv.metrics.sent.Add(float64(n))
	s.mu.Lock()
	s.sent(batch)
	s.mu.Unlock()
	if err != nil {
		s.abort(ReasonTransportError)
	}
}

// sent gives a batch's share of the buffer back. mu is held.
func (s *session) sent(batch []frame) {
	s.queue.release(batch)
	s.took = true
	if cap(batch) <= 64 {
		s.spare = batch
	}
}
