package load

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/loadtest/client"
	"github.com/dozaar/dozaar/loadtest/history"
)

// marksWithin is how long a mark that was accepted may take until the inbox has it.
const marksWithin = 20 * time.Second

// markKey is a user's mark in a conversation.
type markKey struct{ user, conversation uuid.UUID }

// readBack reads every conversation's history and every user's inbox, or those of as many as planned, and writes them down. What cannot be read
// is missing, which the check sees.
func (r *run) readBack(ctx context.Context) error {
	if r.archive == nil {
		return nil
	}
	marks := map[markKey]int64{} // that must have been reached
	for _, u := range r.users {
		for _, d := range u.devices {
			for _, c := range u.conversations {
				_, marked, _ := d.Place(c.id)
				key := markKey{u.ID, c.id}
				marks[key] = max(marks[key], marked)
			}
		}
	}
	histories := make([][]client.Stored, len(r.conversations))
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, c := range r.conversations {
		group.Go(func() (err error) {
			if histories[i], err = r.archive.History(reading, c.id); err != nil {
				return fmt.Errorf("read the history of %s: %w", c.id, err)
			}
			return r.readConversation(reading, c, histories[i])
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, c := range r.conversations {
		for _, m := range histories[i] {
			key := markKey{m.SenderID, c.id}
			marks[key] = max(marks[key], m.Seq)
		}
	}
	return r.readInboxes(ctx, marks)
}

func (r *run) readConversation(ctx context.Context, c *conversation, messages []client.Stored) error {
	for _, m := range messages {
		r.record(client.StoredEvent(m))
	}
	head, err := r.archive.Head(ctx, c.id)
	if err != nil {
		return fmt.Errorf("read the head of %s: %w", c.id, err)
	}
	r.record(history.Event{Kind: history.End, Conversation: c.id, LastSeq: head})
	return nil
}

func (r *run) readInboxes(ctx context.Context, marks map[markKey]int64) error {
	until := time.Now().Add(marksWithin)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	step := 1
	if r.Inboxes > 0 {
		step = max(1, len(r.users)/r.Inboxes)
	}
	for i, u := range r.users {
		if i%step != 0 || len(u.conversations) == 0 {
			continue
		}
		group.Go(func() error {
			for {
				inbox, err := r.archive.Inbox(ctx, u.Member)
				if err != nil {
					return fmt.Errorf("read the inbox of %s: %w", u.Name, err)
				}
				if u.reached(inbox, marks) || time.Now().After(until) {
					r.tellInbox(u, inbox)
					return nil
				}
				time.Sleep(settleEvery)
			}
		})
	}
	return group.Wait()
}

// reached tells whether the inbox has every mark that was accepted.
func (u *user) reached(inbox map[uuid.UUID]Entry, marks map[markKey]int64) bool {
	for id, e := range inbox {
		if e.ReadSeq < marks[markKey{u.ID, id}] {
			return false
		}
	}
	return true
}

func (r *run) tellInbox(u *user, inbox map[uuid.UUID]Entry) {
	for _, c := range u.conversations {
		e := history.Event{Kind: history.Inbox, Conversation: c.id, User: u.ID, Outcome: history.Refused}
		if entry, listed := inbox[c.id]; listed {
			e.Outcome, e.LastSeq, e.ReadSeq, e.Missed = history.OK, entry.LastSeq, entry.ReadSeq, entry.Unread
		}
		r.record(e)
	}
}
