package socketio

import (
	"container/list"
	"sync"
	"time"
)

// newcomers are the connections that belong to no namespace, the one that has been so for longest in front. Past
// Config.MaxUnjoined that one makes room for the next: who soon says who they are is let in, however many never do.
type newcomers struct {
	mu   sync.Mutex // guards list; a leaf
	list list.List  // of *client
}

// newcomer is a client's entry.
type newcomer struct {
	deadline *time.Timer
	at       *list.Element
}

// add takes c in until it is removed, or ended: for its time being up, or to make room. c's mu is held.
func (n *newcomers) add(c *client) *newcomer {
	entry := &newcomer{deadline: time.AfterFunc(c.srv.cfg.ConnectTimeout, func() { c.overdue(ReasonConnectTimeout) })}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.list.Len() >= c.srv.cfg.MaxUnjoined {
		oldest := n.list.Remove(n.list.Front()).(*client)
		c.srv.tasks.Go(func() { oldest.overdue(ReasonCrowdedOut) }) // takes locks of its own
	}
	entry.at = n.list.PushBack(c)
	return entry
}

// remove also lets go of the timer.
func (n *newcomers) remove(entry *newcomer) {
	entry.deadline.Stop()
	n.mu.Lock()
	n.list.Remove(entry.at) // nothing, where it has made room already
	n.mu.Unlock()
}

func (n *newcomers) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.list.Len()
}
