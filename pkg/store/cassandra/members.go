package cassandra

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// PutMember adds a member at the end, or changes one in place.
func (s *Store) PutMember(ctx context.Context, conversation chat.ID, m chat.Member) (c chat.Conversation, err error) {
	err = s.measure(ctx, "put_member", func() error {
		r, err := s.change(ctx, conversation, []chat.Member{m}, func(c *chat.Conversation) bool {
			i := slices.IndexFunc(c.Members, func(old chat.Member) bool { return old.UserID == m.UserID })
			switch {
			case i < 0:
				c.Members = append(c.Members, m)
			case c.Members[i] == m:
				return false
			default:
				c.Members[i] = m
			}
			return true
		})
		if err != nil {
			return err
		}
		c = r.Conversation
		r.Members = []chat.Member{m}
		return s.catchUp(ctx, r)
	})
	return c, err
}

// RemoveMember takes a member out. Somebody who is none is no error.
func (s *Store) RemoveMember(ctx context.Context, conversation, user chat.ID) (c chat.Conversation, err error) {
	err = s.measure(ctx, "remove_member", func() error {
		removed := false
		r, err := s.change(ctx, conversation, nil, func(c *chat.Conversation) bool {
			before := len(c.Members)
			c.Members = slices.DeleteFunc(c.Members, func(m chat.Member) bool { return m.UserID == user })
			if removed = len(c.Members) != before; len(c.Members) == 0 {
				c.Members = nil
			}
			return removed
		})
		if err != nil {
			return err
		}
		c = r.Conversation
		if !removed {
			return nil
		}
		return s.request(ctx, `UPDATE inbox USING TIMESTAMP ? SET member = false WHERE user_id = ? AND conversation_id = ?`,
			r.Revision, uuid(user), uuid(conversation)).Exec()
	})
	return c, err
}

// change lets edit work on a conversation until its revision is the next one, and answers it; where edit says that it
// changed nothing, as it is. Who joins is enlisted before.
func (s *Store) change(ctx context.Context, id chat.ID, joining []chat.Member, edit func(*chat.Conversation) bool) (result row, err error) {
	err = s.insist(ctx, func() (done bool, err error) {
		old, found, err := s.conversation(ctx, id, s.serial)
		if err == nil && !found {
			err = notFound(id)
		}
		if err != nil {
			return false, err
		}
		result = old
		result.Members = slices.Clone(old.Members)
		if !edit(&result.Conversation) {
			return true, nil
		}
		result.Revision++
		result.wide = old.wide || len(result.Members) > s.wideAbove
		enlisted := joining
		if result.wide && !old.wide {
			enlisted = result.Members // all must know before the first head is not copied to them
		}
		if err := s.enlist(ctx, result, enlisted...); err != nil {
			return false, err
		}
		return s.decide(ctx, `UPDATE conversations SET revision = ?, members = ?, wide = ?, inboxes = ? WHERE id = ? IF revision = ?`,
			result.Revision, toMembers(result.Members), result.wide, result.inboxes(), uuid(id), old.Revision)
	})
	return result, err
}

// enlist puts a conversation into the inboxes of members that it is about to have. Should it not get them, the row
// misleads nobody: a reader looks into the conversation before he shows it. So the rows of all who are members are
// there at any time, whoever dies in between.
func (s *Store) enlist(ctx context.Context, r row, members ...chat.Member) error {
	writes := make([]write, len(members))
	for i, m := range members {
		writes[i] = write{
			partition: partition{"inbox", m.UserID, 0},
			statement: `UPDATE inbox USING TIMESTAMP ? SET member = true, created_at = ? WHERE user_id = ? AND conversation_id = ?`,
			args:      []any{r.Revision, r.CreatedAt.UnixMilli(), uuid(m.UserID), uuid(r.ID)},
		}
		if r.wide {
			writes[i].statement = `UPDATE inbox USING TIMESTAMP ? SET member = true, created_at = ?, wide = true WHERE user_id = ? AND conversation_id = ?`
		}
	}
	return s.apply(ctx, writes)
}

// catchUp copies the head to the inbox rows of members who have just joined; see PutInboxes.
func (s *Store) catchUp(ctx context.Context, r row) error {
	head, found, err := s.head(ctx, r.ID)
	if err != nil || !found {
		return err
	}
	var writes []write
	for _, user := range r.inboxes() {
		writes = append(writes, activityWrite(chat.ID(user), head))
	}
	return s.apply(ctx, writes)
}

// errContended says that others were faster, again and again.
var errContended = errors.New("the conversation is being changed by too many at once")

// insist repeats a decision that others may win, or whose outcome was lost, after pauses that grow.
func (s *Store) insist(ctx context.Context, decide func() (done bool, err error)) error {
	for attempt := range 30 {
		done, err := decide()
		switch {
		case done || err != nil && !undecided(err):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		select {
		case <-time.After(time.Duration(1+rand.Int64N(int64(5+5*min(attempt, 20)))) * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errContended
}
