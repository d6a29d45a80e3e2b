package gateway

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/dozaar/dozaar/pkg/chat"
)

// shown is what this gateway's sockets were told last of users, for as many users as it has room for.
type shown struct {
	mu   sync.Mutex // makes look and add one step
	last *lru.Cache[chat.ID, showing]
}

// showing is what was told of a user, and to whom: to a few, or to more.
type showing struct {
	change chat.PresenceChange
	to     []chat.ID
	more   bool
}

// shownTo is how many of those who were told are remembered.
const shownTo = 8

// shownUsers bounds what is remembered: to tell an old change of presence, and to notice one that did not arrive.
const shownUsers = 200_000

func newShown() *shown {
	last, _ := lru.New[chat.ID, showing](shownUsers) // fails only for a size below one
	return &shown{last: last}
}

// rises notes a change and who of this gateway is told, and tells whether it is newer than all before it.
func (s *shown) rises(c chat.PresenceChange, to []chat.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, ok := s.last.Get(c.UserID); ok && c.Version <= last.change.Version {
		return false
	}
	s.last.Add(c.UserID, showing{c, slices.Clone(to[:min(len(to), shownTo)]), len(to) > shownTo})
	return true
}

// answered notes that a socket was told that a user is online because it asked.
func (s *shown) answered(user chat.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, _ := s.last.Get(user)
	if !last.change.Online {
		last.change = chat.PresenceChange{UserID: user, Online: true, Version: last.change.Version}
		s.last.Add(user, last)
	}
}

func (s *shown) all() []showing {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.Values()
}

// concerning answers what was told of users to sockets that are still here.
func (g *Gateway) concerning() (told []chat.PresenceChange) {
	here := func(user chat.ID) bool { return g.sessions.count(user) > 0 }
	for _, s := range g.shown.all() {
		if s.more || slices.ContainsFunc(s.to, here) || len(g.asking.about(s.change.UserID, time.Now())) > 0 {
			told = append(told, s.change)
		}
	}
	return told
}

// What is rechecked is rechecked in pages, and for the first time when what waits in the relay has been read.
const (
	recheckPage  = 500
	recheckAfter = time.Second
)

// recheck looks, after the relay has had trouble, whether the sockets have been told all that became of those whom they were
// told of, and has Redis know again about whom they have asked. While Redis cannot say, it asks again.
func (g *Gateway) recheck(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-g.rechecks:
		}
		pause := backoff.NewExponentialBackOff()
		pause.InitialInterval = recheckAfter
		pause.MaxInterval = 5 * time.Second
		asked, told := g.asking.users(), g.concerning()
		for len(asked)+len(told) > 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-g.rechecks: // more trouble: all of it is in doubt again
				asked, told = g.asking.users(), g.concerning()
			case <-time.After(pause.NextBackOff()):
			}
			asked, told = g.askAgain(ctx, asked), g.stillUnknown(ctx, told)
		}
	}
}

// askAgain has Redis know about whom the sockets here have asked, and answers those for whom that failed.
func (g *Gateway) askAgain(ctx context.Context, users []chat.ID) (failed []chat.ID) {
	for page := range slices.Chunk(users, recheckPage) {
		if err := g.View.Asked(ctx, g.Instance, page, askedFor+askAgain); err != nil {
			failed = append(failed, page...)
			g.log.Warn("say again about whom sockets have asked", "error", err)
		}
	}
	return failed
}

// stillUnknown has announced what the sockets here were not told, and answers those of whom nothing can be said yet.
func (g *Gateway) stillUnknown(ctx context.Context, told []chat.PresenceChange) (unknown []chat.PresenceChange) {
	for page := range slices.Chunk(told, recheckPage) {
		left, err := g.View.Missed(ctx, page)
		unknown = append(unknown, left...)
		if err != nil {
			g.log.Warn("look whether all changes of presence have been told", "error", err)
		}
	}
	return unknown
}
