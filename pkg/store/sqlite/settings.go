package sqlite

import (
	"context"
	"database/sql"

	"github.com/dozaar/dozaar/pkg/chat"
)

// Settings answers each user's.
func (s *Store) Settings(ctx context.Context, users []chat.ID) (map[chat.ID]chat.Settings, error) {
	found := make(map[chat.ID]chat.Settings, len(users))
	for _, u := range users {
		found[u] = chat.Settings{}
	}
	err := s.read(ctx, "settings", func(tx *sql.Tx) error {
		wanted := idList(users)
		if err := each(ctx, tx, func(rows *sql.Rows) error {
			var user chat.ID
			err := rows.Scan(&user)
			found[user] = chat.Settings{Invisible: true}
			return err
		}, `SELECT i.user_id FROM json_each(?) AS wanted CROSS JOIN invisible AS i ON i.user_id = unhex(wanted.value)`, wanted); err != nil {
			return err
		}
		return each(ctx, tx, func(rows *sql.Rows) error {
			var user, conversation chat.ID
			err := rows.Scan(&user, &conversation)
			settings := found[user]
			settings.Muted = append(settings.Muted, conversation)
			found[user] = settings
			return err
		}, `SELECT DISTINCT m.user_id, m.conversation_id FROM json_each(?) AS wanted CROSS JOIN muted AS m ON m.user_id = unhex(wanted.value)`, wanted)
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// PutInvisible has the user be seen as offline, or no longer.
func (s *Store) PutInvisible(ctx context.Context, user chat.ID, invisible bool) error {
	statement := `DELETE FROM invisible WHERE user_id = ?`
	if invisible {
		statement = `INSERT INTO invisible (user_id) VALUES (?) ON CONFLICT DO NOTHING`
	}
	return s.write(ctx, "put_invisible", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, statement, user[:])
		return err
	})
}

// PutMuted mutes a conversation for the user, or no longer.
func (s *Store) PutMuted(ctx context.Context, user, conversation chat.ID, muted bool) error {
	statement := `DELETE FROM muted WHERE user_id = ? AND conversation_id = ?`
	if muted {
		statement = `INSERT INTO muted (user_id, conversation_id) VALUES (?, ?) ON CONFLICT DO NOTHING`
	}
	return s.write(ctx, "put_muted", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, statement, user[:], conversation[:])
		return err
	})
}

// Called answers where each user was last called to a conversation.
func (s *Store) Called(ctx context.Context, conversation chat.ID, users []chat.ID) (map[chat.ID]chat.Call, error) {
	found := make(map[chat.ID]chat.Call, len(users))
	err := s.read(ctx, "called", func(tx *sql.Tx) error {
		return each(ctx, tx, func(rows *sql.Rows) error {
			c := chat.Call{ConversationID: conversation}
			var at int64
			err := rows.Scan(&c.UserID, &c.Seq, &at)
			c.At = fromMillis(at)
			found[c.UserID] = c
			return err
		}, `
			SELECT c.user_id, c.seq, c.called_at
			FROM json_each(?) AS wanted CROSS JOIN calls AS c ON c.user_id = unhex(wanted.value) AND c.conversation_id = ?`,
			idList(users), conversation[:])
	})
	return found, err
}

// PutCalled remembers calls; the greatest seq of a conversation and user wins.
func (s *Store) PutCalled(ctx context.Context, calls []chat.Call) error {
	if len(calls) == 0 {
		return ctx.Err()
	}
	return s.gathered(ctx, "put_called", func(ctx context.Context, tx *sql.Tx) error {
		return insert(ctx, tx, calls, `
			INSERT INTO calls (user_id, conversation_id, seq, called_at) VALUES (?, ?, ?, ?)
			ON CONFLICT (user_id, conversation_id) DO UPDATE SET seq = excluded.seq, called_at = excluded.called_at
			WHERE excluded.seq > seq`,
			func(c chat.Call) ([]any, error) {
				return []any{c.UserID[:], c.ConversationID[:], c.Seq, c.At.UnixMilli()}, nil
			})
	})
}
