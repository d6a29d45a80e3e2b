package socketio

import "context"

// Drain waits until no more than below bytes wait to be sent to the client, so that a Handler which
// has much to send can go at the client's own pace instead of overflowing its buffer. It returns
// ErrClosed when the socket ends first, or ctx's error.
func (s *Socket) Drain(ctx context.Context, below int) error {
	sess := s.client.sess
	sess.mu.Lock()
	ready := sess.queue.wait(below)
	sess.mu.Unlock()
	if ready == nil {
		return nil
	}
	select {
	case <-ready:
		return nil
	case <-s.ctx.Done():
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}
