package gateway

import (
	"maps"
	"slices"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/dozaar/dozaar/pkg/chat"
)

// Whoever asks whether a user is online hears of that user's changes for askedFor. Redis is told at most every
// askAgain that somebody here has asked.
const (
	askedFor = 5 * time.Minute
	askAgain = time.Minute
)

// What is remembered of questions is bounded: for one socket by what one question may hold, and for all. Who falls out
// hears of changes no more, and may ask again.
const (
	askedBySocket = maxStatuses
	askedByAll    = 200_000
)

// asking is who has asked about whom.
type asking struct {
	mu     sync.Mutex // guards what follows, and session.asked
	asked  *lru.Cache[question, time.Time]
	byUser map[chat.ID]map[*session]struct{}
	told   *lru.Cache[chat.ID, time.Time] // when Redis was told last
}

type question struct {
	by    *session
	about chat.ID
}

func newAsking() *asking {
	a := &asking{byUser: map[chat.ID]map[*session]struct{}{}}
	a.asked, _ = lru.NewWithEvict(askedByAll, func(q question, _ time.Time) { a.drop(q) }) // fail only for a size below one
	a.told, _ = lru.New[chat.ID, time.Time](askedByAll)
	return a
}

// note remembers a socket's question, and answers those users of whom Redis is to be told.
func (a *asking) note(s *session, users []chat.ID, now time.Time) (untold []chat.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, user := range users {
		if user == s.user.ID {
			continue
		}
		if _, already := s.asked[user]; !already && len(s.asked) >= askedBySocket {
			for old := range s.asked { // any
				a.asked.Remove(question{s, old})
				break
			}
		}
		s.asked[user] = struct{}{}
		if a.byUser[user] == nil {
			a.byUser[user] = map[*session]struct{}{}
		}
		a.byUser[user][s] = struct{}{}
		a.asked.Add(question{s, user}, now)
		if at, ok := a.told.Get(user); !ok || now.Sub(at) >= askAgain {
			untold = append(untold, user)
		}
	}
	return untold
}

// noted remembers that Redis was told of users.
func (a *asking) noted(users []chat.ID, now time.Time) {
	for _, user := range users {
		a.told.Add(user, now)
	}
}

// about answers who has asked about a user lately.
func (a *asking) about(user chat.ID, now time.Time) (sessions []*session) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for s := range a.byUser[user] {
		if at, ok := a.asked.Peek(question{s, user}); ok && now.Sub(at) < askedFor {
			sessions = append(sessions, s)
		} else {
			a.asked.Remove(question{s, user})
		}
	}
	return sessions
}

// questions answers about whom a user's sockets have asked, and who has asked about the user.
func (a *asking) questions(user chat.ID, sockets []*session) (all []question) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range sockets {
		for about := range s.asked {
			all = append(all, question{s, about})
		}
	}
	for s := range a.byUser[user] {
		all = append(all, question{s, user})
	}
	return all
}

// take drops one question.
func (a *asking) take(q question) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked.Remove(q)
}

// partedWays drops the questions about those whom the asker may not see any more, now that a user was removed from a
// conversation. Where that cannot be told they are dropped, too: they may be asked again.
func (g *Gateway) partedWays(removed chat.ID) {
	if removed == (chat.ID{}) {
		return
	}
	byAsker := map[chat.ID][]question{}
	for _, q := range g.asking.questions(removed, g.sessions.of(removed)) {
		byAsker[q.by.user.ID] = append(byAsker[q.by.user.ID], q)
	}
	if len(byAsker) == 0 {
		return
	}
	g.spawn(func() {
		for asker, questions := range byAsker {
			about := make([]chat.ID, len(questions))
			for i, q := range questions {
				about[i] = q.about
			}
			g.View.Forget(asker)
			visible, _ := g.View.Visible(g.base, asker, about)
			for _, q := range questions {
				if !slices.Contains(visible, q.about) {
					g.asking.take(q)
				}
			}
		}
	})
}

// users answers about whom somebody has asked.
func (a *asking) users() []chat.ID {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Collect(maps.Keys(a.byUser))
}

// forget drops a socket's questions.
func (a *asking) forget(s *session) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for user := range s.asked {
		a.asked.Remove(question{s, user})
	}
}

// drop follows the cache. a.mu is held.
func (a *asking) drop(q question) {
	delete(q.by.asked, q.about)
	delete(a.byUser[q.about], q.by)
	if len(a.byUser[q.about]) == 0 {
		delete(a.byUser, q.about)
	}
}
