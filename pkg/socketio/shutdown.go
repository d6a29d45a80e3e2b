package socketio

import (
	"context"
	"math/rand/v2"
	"time"
)

// Shutdown refuses new connections and closes those there are: in batches with a random pause
// between them, so that clients do not all come back at the same moment; each after the event being
// handled is done with and what waits has been sent. It returns when every goroutine of the server
// has ended. When ctx ends first the rest is cut off, and ctx's error is returned.
//
// Clients see a lost connection and reconnect, unless Config.DisconnectOnShutdown.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if s.draining {
		s.mu.Unlock()
		return s.await(ctx)
	}
	s.draining = true
	sessions := make([]*session, 0, len(s.sessions))
	for _, sess := range s.sessions {
		sessions = append(sessions, sess)
	}
	s.mu.Unlock()
	rand.Shuffle(len(sessions), func(i, j int) { sessions[i], sessions[j] = sessions[j], sessions[i] })

	batch := s.batchSize(ctx, len(sessions))
	told := 0
	for _, sess := range sessions {
		if s.session(sess.id) == nil {
			continue // it has ended by itself: nobody waits for that
		}
		if told > 0 && told%batch == 0 && !pause(ctx, s.cfg.ShutdownPause/2+rand.N(s.cfg.ShutdownPause)) {
			break
		}
		told++
		s.tasks.Go(sess.sayGoodbye)
	}

	go func() {
		s.tasks.Wait()
		s.library.close()
		close(s.idle)
	}()
	err := s.await(ctx)
	if err == nil {
		return nil
	}
	for _, sess := range sessions {
		sess.abort(ReasonShutdown)
	}
	select {
	case <-s.idle:
	case <-time.After(2 * parting): // a handler does not heed its context
	}
	return err
}

// await returns when nothing of the server runs any more.
func (s *Server) await(ctx context.Context) error {
	select {
	case <-s.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sayGoodbye waits for the packet being handled, which may not wait for the client itself any more, and drains the session.
func (s *session) sayGoodbye() {
	s.mu.Lock()
	s.leaving = true
	s.queue.wake()
	s.mu.Unlock()
	s.inbound.Lock()
	defer s.inbound.Unlock()
	var last []frame
	if s.srv.cfg.DisconnectOnShutdown {
		if c, ok := s.overlay.(*client); ok {
			last = c.disconnects()
		}
	}
	s.drain(ReasonShutdown, last...)
}

// batchSize is the configured one, or what ShutdownOver makes of it, or more where half the time that ctx leaves would not
// do.
func (s *Server) batchSize(ctx context.Context, sessions int) int {
	perBatch := func(over time.Duration) int {
		batches := max(1, int(over/s.cfg.ShutdownPause))
		return max(1, (sessions+batches-1)/batches)
	}
	size := s.cfg.ShutdownBatch
	if s.cfg.ShutdownOver > 0 {
		size = perBatch(s.cfg.ShutdownOver)
	}
	until, bounded := ctx.Deadline()
	if !bounded {
		return size
	}
	return max(size, perBatch(time.Until(until)/2))
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
