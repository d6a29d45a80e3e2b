package deliver

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/pkg/chat"
)

// maxCachedMembers bounds the member cache: a million ids are some 16 MB.
const maxCachedMembers = 1_000_000

// membership is who belongs to a conversation, and since which revision. Nobody belongs to one that is unknown.
type membership struct {
	users    []chat.ID
	revision int64
}

func (m membership) has(user chat.ID) bool { return slices.Contains(m.users, user) }

// memberCache remembers memberships for as long as maxAge, counted from before they were read.
type memberCache struct {
	maxAge time.Duration
	clock  func() time.Time

	mu    sync.Mutex // guards known
	known *lru[chat.ID, dated]
}

type dated struct {
	membership
	at time.Time
}

func newMemberCache(maxAge time.Duration, clock func() time.Time) *memberCache {
	return &memberCache{maxAge: maxAge, clock: clock, known: newLRU[chat.ID, dated](maxCachedMembers)}
}

func (c *memberCache) get(conversation chat.ID) (membership, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, found := c.known.get(conversation)
	if !found || c.clock().Sub(m.at) >= c.maxAge {
		return membership{}, false
	}
	return m.membership, true
}

func (c *memberCache) put(conversation chat.ID, m membership, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known.put(conversation, dated{m, at}, 1+len(m.users))
}

func (c *memberCache) drop(conversation chat.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known.drop(conversation)
}

// memberships answers for each conversation, from the cache where it is young enough. It waits for the
// store and fails only when ctx has ended.
func (d *Deliver) memberships(ctx context.Context, conversations []chat.ID) (map[chat.ID]membership, error) {
	answers := make(map[chat.ID]membership, len(conversations))
	var missing []chat.ID
	for _, id := range conversations {
		m, found := d.members.get(id)
		if !found {
			missing = append(missing, id)
		}
		answers[id] = m
	}
	read := make([]membership, len(missing))
	err := d.each(ctx, len(missing), func(ctx context.Context, i int) error {
		return d.insist(ctx, "conversation", func(ctx context.Context) (err error) {
			read[i], err = d.readMembership(ctx, missing[i])
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	for i, id := range missing {
		answers[id] = read[i]
	}
	return answers, nil
}

func (d *Deliver) readMembership(ctx context.Context, conversation chat.ID) (membership, error) {
	at := d.Clock()
	c, err := d.Store.Conversation(ctx, conversation)
	if err != nil && !errors.Is(err, chat.ErrNotFound) {
		return membership{}, err
	}
	m := membership{users: make([]chat.ID, len(c.Members)), revision: c.Revision}
	for i, member := range c.Members {
		m.users[i] = member.UserID
	}
	d.members.put(conversation, m, at)
	return m, nil
}

// each does n things, Config.Reads of them at once. It returns when all are done, or the first has failed
// and the others have ended.
func (d *Deliver) each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(d.Reads)
	for i := range n {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}
