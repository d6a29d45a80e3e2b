package deliver

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/pkg/chat"
)

// lanes let each conversation of an assignment go its own way: its records one slice after the other, in
// their order, beside those of all other conversations. What a conversation waits for is nobody else's business.
//
// What is in the lanes is bounded by what the assignment may hold (kafka.ConsumerConfig).
type lanes struct {
	work  *errgroup.Group // a goroutine for each conversation that has anything
	ctx   context.Context // of work
	slots *slots
	most  int                                  // records in a slice
	do    func(context.Context, []entry) error // deals with one slice; fails only when ctx has ended

	mu      sync.Mutex
	waiting map[chat.ID][]entry // guarded by mu; by conversation that is at work, what its next slice takes
	empty   chan struct{}       // guarded by mu; closed when there is none; nil: nobody wants to know
}

func newLanes(ctx context.Context, work *errgroup.Group, s *slots, most int, do func(context.Context, []entry) error) *lanes {
	return &lanes{work: work, ctx: ctx, slots: s, most: most, do: do, waiting: map[chat.ID][]entry{}}
}

// add puts entries into their conversations' lanes.
func (l *lanes) add(entries []entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var idle []chat.ID
	for _, e := range entries {
		waiting, busy := l.waiting[e.ConversationID]
		l.waiting[e.ConversationID] = append(waiting, e)
		if !busy {
			idle = append(idle, e.ConversationID)
		}
	}
	for _, conversation := range idle {
		mine := l.slots.ask() // here, so that they are served in the log's order
		l.work.Go(func() error { return l.run(conversation, mine) })
	}
}

// run works on a conversation until nothing of it waits.
func (l *lanes) run(conversation chat.ID, mine *turn) error {
	for {
		err := mine.wait(l.ctx)
		if err == nil {
			err = l.do(mine.into(l.ctx), l.take(conversation))
		}
		mine.end()
		if err != nil {
			return err
		}
		if !l.more(conversation) {
			return nil
		}
		mine = l.slots.ask()
	}
}

// take is the next slice: everything that waits, up to a bound.
func (l *lanes) take(conversation chat.ID) []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting := l.waiting[conversation]
	n := min(len(waiting), l.most)
	l.waiting[conversation] = waiting[n:]
	return waiting[:n:n]
}

// more tells whether something waits. Where not, the conversation is at rest.
func (l *lanes) more(conversation chat.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting[conversation]) > 0 {
		return true
	}
	delete(l.waiting, conversation)
	if len(l.waiting) == 0 && l.empty != nil {
		close(l.empty)
		l.empty = nil
	}
	return false
}

// drain waits until every conversation is at rest. Nobody adds meanwhile.
func (l *lanes) drain(ctx context.Context) error {
	l.mu.Lock()
	if len(l.waiting) == 0 {
		l.mu.Unlock()
		return nil
	}
	l.empty = make(chan struct{})
	empty := l.empty
	l.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
