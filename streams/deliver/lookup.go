package deliver

import (
	"context"
	"sync"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// lookups asks for the owners of all slices that want to know at the same moment in one question: the longer an
// answer takes, the more are gathered in the next question, and a busy system costs few of them.
type lookups struct {
	owners  Owners
	timeout time.Duration

	mu   sync.Mutex // guards what follows
	next *lookup    // the question that is not asked yet; nil: nobody waits
	busy bool       // somebody asks
}

// lookup is one question and its answer.
type lookup struct {
	users, rooms audience
	lead         chan struct{} // one token: who takes it asks, for all
	done         chan struct{}
	answer       owners // to be read after done
	err          error  // to be read after done
}

// ask answers who owns users and rooms at a moment after it was called. The answer may hold others, too.
func (l *lookups) ask(ctx context.Context, users, rooms []chat.ID) (owners, error) {
	mine := l.join(users, rooms)
	select {
	case <-mine.lead:
		l.lead(ctx, mine)
	case <-mine.done:
	case <-ctx.Done():
		return owners{}, ctx.Err()
	}
	return mine.answer, mine.err
}

// join adds to a question that is not asked yet: the answer to one that is may be from before the caller
// had stored what it wants to tell.
func (l *lookups) join(users, rooms []chat.ID) *lookup {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next == nil {
		l.next = &lookup{lead: make(chan struct{}, 1), done: make(chan struct{})}
		if !l.busy {
			l.next.lead <- struct{}{}
		}
	}
	l.next.users.add(users...)
	l.next.rooms.add(rooms...)
	return l.next
}

// lead asks, and then hands the lead on. Those who wait may have more patience than the caller, so its context's
// end does not interrupt the question.
func (l *lookups) lead(ctx context.Context, mine *lookup) {
	l.mu.Lock()
	l.next, l.busy = nil, true
	l.mu.Unlock()
	defer close(mine.done)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.timeout)
	defer cancel()
	mine.answer.byUser, mine.answer.byConversation, mine.err = l.owners.Owners(ctx, mine.users.ids, mine.rooms.ids)

	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy = false
	if l.next != nil {
		l.next.lead <- struct{}{}
	}
}
