package socketio

import "sync"

// writer writes what waits for some of the server's sessions, one after the other and without waiting for
// any. It has a goroutine only while there is something to do: for a room of a thousand that is one
// goroutine started instead of a thousand. A session whose peer takes no more leaves it, see finishWrite.
//
// There is one for each processor, so that the members of a room are served side by side.
type writer struct {
	tasks *sync.WaitGroup // the server's

	mu      sync.Mutex // guards what follows; a leaf
	waiting []*session
	spare   []*session // the last batch's array, for reuse
	running bool
}

// maxSpareSessions bounds what a writer keeps for reuse.
const maxSpareSessions = 16 << 10

// add is called by whoever has set s.writing. The session's mu is held, and it is not closed.
func (w *writer) add(s *session) {
	w.mu.Lock()
	w.waiting = append(w.waiting, s)
	start := !w.running
	w.running = true
	w.mu.Unlock()
	if start {
		w.tasks.Go(w.run)
	}
}

func (w *writer) run() {
	var batch []*session
	for {
		w.mu.Lock()
		if cap(batch) <= maxSpareSessions {
			w.spare = batch[:0]
		}
		if batch = w.waiting; len(batch) == 0 {
			w.running = false
			w.mu.Unlock()
			return
		}
		w.waiting, w.spare = w.spare, nil
		w.mu.Unlock()
		for i, s := range batch {
			s.writeSome()
			batch[i] = nil
		}
	}
}
