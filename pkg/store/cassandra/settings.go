package cassandra

import (
	"context"
	"errors"
	"sync"

	"github.com/gocql/gocql"

	"github.com/dozaar/dozaar/pkg/chat"
)

// Settings answers each user's; with an error, of those whose could be read.
func (s *Store) Settings(ctx context.Context, users []chat.ID) (map[chat.ID]chat.Settings, error) {
	found := make(map[chat.ID]chat.Settings, len(users))
	var mu sync.Mutex // guards found and failed
	var failed error
	err := s.measure(ctx, "settings", func() error {
		err := s.each(ctx, len(users), func(ctx context.Context, i int) error {
			var invisible bool
			var muted []gocql.UUID
			_, err := one(s.request(ctx, `SELECT invisible, muted FROM settings WHERE user_id = ?`, uuid(users[i])), &invisible, &muted)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = err
				return nil // the others are read all the same
			}
			settings := chat.Settings{Invisible: invisible}
			for _, c := range muted {
				settings.Muted = append(settings.Muted, chat.ID(c))
			}
			found[users[i]] = settings
			return nil
		})
		return errors.Join(err, failed)
	})
	return found, err
}

// PutInvisible has the user be seen as offline, or no longer.
func (s *Store) PutInvisible(ctx context.Context, user chat.ID, invisible bool) error {
	return s.measure(ctx, "put_invisible", func() error {
		return s.request(ctx, `UPDATE settings SET invisible = ? WHERE user_id = ?`, invisible, uuid(user)).Exec()
	})
}

// PutMuted mutes a conversation for the user, or no longer.
func (s *Store) PutMuted(ctx context.Context, user, conversation chat.ID, muted bool) error {
	statement := `UPDATE settings SET muted = muted - ? WHERE user_id = ?`
	if muted {
		statement = `UPDATE settings SET muted = muted + ? WHERE user_id = ?`
	}
	return s.measure(ctx, "put_muted", func() error {
		return s.request(ctx, statement, []gocql.UUID{uuid(conversation)}, uuid(user)).Exec()
	})
}

// Called answers where each user was last called to a conversation.
func (s *Store) Called(ctx context.Context, conversation chat.ID, users []chat.ID) (map[chat.ID]chat.Call, error) {
	found := make(map[chat.ID]chat.Call, len(users))
	err := s.measure(ctx, "called", func() error {
		return s.many(ctx, `SELECT user_id, seq, called_at FROM calls WHERE user_id = ? AND conversation_id = ?`, users, func(row gocql.Scanner) error {
			var user gocql.UUID
			var at int64
			c := chat.Call{ConversationID: conversation}
			err := row.Scan(&user, &c.Seq, &at)
			c.UserID, c.At = chat.ID(user), fromMillis(at)
			found[c.UserID] = c
			return err
		}, uuid(conversation))
	})
	return found, err
}

// PutCalled remembers calls; the greatest seq of a conversation and user wins.
func (s *Store) PutCalled(ctx context.Context, calls []chat.Call) error {
	return s.measure(ctx, "put_called", func() error {
		writes := make([]write, len(calls))
		for i, c := range calls {
			writes[i] = write{
				partition: partition{"calls", c.UserID, 0},
				statement: `INSERT INTO calls (user_id, conversation_id, seq, called_at) VALUES (?, ?, ?, ?) USING TIMESTAMP ?`,
				args:      []any{uuid(c.UserID), uuid(c.ConversationID), c.Seq, c.At.UnixMilli(), c.Seq},
			}
		}
		return s.apply(ctx, writes)
	})
}
