package socketio

import "context"

// Drain waits until no more than below bytes wait to be sent to the client, so that a Handler which
// has much to send can go at the client's own pace instead of overflowing its buffer. It returns
// ErrClosed when the socket ends first, or has ended, or Shutdown has come to it, or ctx's error.
func (s *Socket) Drain(ctx context.Context, below int) error {
	if s.gone.Load() {
		return ErrClosed
	}
	sess := s.client.sess
	sess.mu.Lock()
	if sess.leaving {
		sess.mu.Unlock()
		return ErrClosed
	}
	ready := sess.queue.wait(max(below, 0))
	sess.mu.Unlock()
	if ready == nil {
		return nil
	}
	var err error
	select {
	case <-ready:
		sess.mu.Lock()
		defer sess.mu.Unlock()
		if sess.leaving {
			return ErrClosed
		}
		return nil
	case <-s.ctx.Done():
		err = ErrClosed
	case <-ctx.Done():
		err = ctx.Err()
	}
	sess.mu.Lock()
	sess.queue.forget(ready)
	sess.mu.Unlock()
	return err
}
