package socketio

// send queues frames, all or none, and never blocks. False when the session takes no more.
func (s *session) send(first frame, more ...frame) bool {
	cost := first.cost()
	for _, f := range more {
		cost += f.cost()
	}
	s.mu.Lock()
	if s.state != stateOpen {
		s.mu.Unlock()
		return false
	}
	if s.queue.bytes+cost > s.srv.cfg.SendBuffer {
		s.mu.Unlock()
		s.srv.metrics.overflows.Inc()
		s.abort(ReasonSlowClient)
		return false
	}
	if more == nil && s.ws != nil && !s.writing && len(s.queue.frames) == 0 && s.replying.CompareAndSwap(true, false) {
		s.writing = true
		s.queue.bytes += cost
		s.mu.Unlock()
		s.writeNow(first)
		return true
	}
	s.queue.push(first)
	for _, f := range more {
		s.queue.push(f)
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
	case s.writing:
	case s.ws.in.raw == nil || s.state != stateOpen: // a write may block
		s.writing = true
		s.srv.tasks.Go(s.write)
	default:
		s.writing = true
		s.writer.add(s)
	}
}

// write empties the queue into the websocket and ends. It may block. There is at most one at a time who
// writes: whoever set writing.
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
		n, err := s.ws.write(batch, true)
		s.written(batch, n, err)
	}
}

// writeSome writes what waits as far as the socket takes it without waiting. It is the writer's part.
func (s *session) writeSome() {
	s.mu.Lock()
	batch := s.take()
	s.mu.Unlock()
	n, err := s.ws.write(batch, false)
	if rest := after(batch, n); err == nil && len(rest) > 0 {
		s.finishWrite(batch, rest, n)
		return
	}
	s.mu.Lock()
	s.sent(batch)
	s.wrote(n, err)
}

// writeNow writes one frame on the caller's goroutine, as far as the socket takes it without waiting.
// For an answer that costs less than to have it done elsewhere; whatever comes in numbers is better
// gathered. Its cost is counted already.
func (s *session) writeNow(f frame) {
	n, err := s.ws.push(f.buf)
	if err == nil && n < len(f.buf) {
		batch := []frame{f.keep()}
		s.finishWrite(batch, after(batch, n), n)
		return
	}
	s.mu.Lock()
	s.queue.release(f.cost())
	s.took = true
	s.wrote(n, err)
}

// wrote is the end of a write that did not wait: n bytes have gone out, or err came of it. Others write
// what has come meanwhile. mu is held and let go of.
func (s *session) wrote(n int, err error) {
	switch {
	case err != nil, s.state == stateClosed:
	case s.state == stateDraining: // the end of it may block
		s.srv.tasks.Go(s.write)
	case len(s.queue.frames) > 0:
		s.writer.add(s)
	default:
		s.writing = false
	}
	s.mu.Unlock()
	s.srv.metrics.sent.Add(float64(n))
	if err != nil {
		s.abort(ReasonTransportError)
	}
}

// finishWrite writes the rest of a batch of which n bytes have gone out, on a goroutine of its own: the
// peer takes no more for now. When the session is closed, the server may be waiting for its goroutines
// already.
func (s *session) finishWrite(batch, rest []frame, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == stateClosed {
		return
	}
	s.srv.tasks.Go(func() {
		m, err := s.ws.write(rest, true)
		s.written(batch, n+m, err)
		s.write()
	})
}

// after is what is left of a batch when n bytes of it are gone.
func after(batch []frame, n int) []frame {
	for i, f := range batch {
		if n < len(f.buf) {
			rest := append([]frame(nil), batch[i:]...)
			rest[0].buf = f.buf[n:]
			return rest
		}
		n -= len(f.buf)
	}
	return nil
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
	cost := 0
	for _, f := range batch {
		cost += f.cost()
	}
	s.queue.release(cost)
	s.took = true
	clear(batch)
	if cap(batch) <= 64 {
		s.spare = batch
	}
}
