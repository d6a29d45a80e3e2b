package sqlite

import (
	"context"
	"database/sql"

	"github.com/dozaar/dozaar/pkg/chat"
)

// PutHeads moves heads; the greatest seq of a conversation wins.
func (s *Store) PutHeads(ctx context.Context, heads []chat.Head) error {
	if len(heads) == 0 {
		return ctx.Err()
	}
	return s.gathered(ctx, "put_heads", func(ctx context.Context, tx *sql.Tx) error {
		return insert(ctx, tx, heads, `
			INSERT INTO heads (conversation_id, seq, log_epoch, log_offset, activity_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (conversation_id) DO UPDATE
			SET seq = excluded.seq, log_epoch = excluded.log_epoch, log_offset = excluded.log_offset,
			    activity_at = excluded.activity_at
			WHERE excluded.seq > seq`,
			func(h chat.Head) ([]any, error) {
				return []any{h.ConversationID[:], h.Seq, h.Position.Epoch, h.Position.Offset, h.ActivityAt.UnixMilli()}, nil
			})
	})
}

// PutInboxes has nothing to do: an inbox is made from the heads when it is read.
func (s *Store) PutInboxes(ctx context.Context, _ []chat.Head) error {
	return s.operations.Measure("put_inboxes", func() error { return s.classify(ctx, "put_inboxes", ctx.Err()) })
}

// Revisions reads how often the members of conversations have changed. One that there is not is absent.
func (s *Store) Revisions(ctx context.Context, conversations []chat.ID) (map[chat.ID]int64, error) {
	found := make(map[chat.ID]int64, len(conversations))
	err := s.read(ctx, "revisions", func(tx *sql.Tx) error {
		return each(ctx, tx, func(rows *sql.Rows) error {
			var id chat.ID
			var revision int64
			err := rows.Scan(&id, &revision)
			found[id] = revision
			return err
		}, `
			SELECT c.id, c.revision
			FROM json_each(?) AS wanted CROSS JOIN conversations AS c ON c.id = unhex(wanted.value)`,
			idList(conversations))
	})
	return found, err
}

// Heads reads the heads of conversations. One without a message is absent.
func (s *Store) Heads(ctx context.Context, conversations []chat.ID) (map[chat.ID]chat.Head, error) {
	found := make(map[chat.ID]chat.Head, len(conversations))
	err := s.read(ctx, "heads", func(tx *sql.Tx) error {
		return each(ctx, tx, func(rows *sql.Rows) error {
			var (
				h          chat.Head
				activityAt int64
			)
			err := rows.Scan(&h.ConversationID, &h.Seq, &h.Position.Epoch, &h.Position.Offset, &activityAt)
			h.ActivityAt = fromMillis(activityAt)
			found[h.ConversationID] = h
			return err
		}, `
			SELECT h.conversation_id, h.seq, h.log_epoch, h.log_offset, h.activity_at
			FROM json_each(?) AS wanted CROSS JOIN heads AS h ON h.conversation_id = unhex(wanted.value)`,
			idList(conversations))
	})
	return found, err
}

// PutReadMarks moves read marks; the greatest seq of a conversation and user wins.
func (s *Store) PutReadMarks(ctx context.Context, marks []chat.ReadMark) error {
	if len(marks) == 0 {
		return ctx.Err()
	}
	return s.gathered(ctx, "put_read_marks", func(ctx context.Context, tx *sql.Tx) error {
		return insert(ctx, tx, marks, `
			INSERT INTO read_marks (conversation_id, user_id, seq) VALUES (?, ?, ?)
			ON CONFLICT (conversation_id, user_id) DO UPDATE SET seq = excluded.seq WHERE excluded.seq > seq`,
			func(m chat.ReadMark) ([]any, error) {
				return []any{m.ConversationID[:], m.UserID[:], m.Seq}, nil
			})
	})
}

// ReadSeqs is up to where each of the users has read a conversation; 0 for nothing.
func (s *Store) ReadSeqs(ctx context.Context, conversation chat.ID, users []chat.ID) (map[chat.ID]int64, error) {
	found := make(map[chat.ID]int64, len(users))
	for _, user := range users {
		found[user] = 0
	}
	err := s.read(ctx, "read_seqs", func(tx *sql.Tx) error {
		return each(ctx, tx, func(rows *sql.Rows) error {
			var user chat.ID
			var seq int64
			err := rows.Scan(&user, &seq)
			found[user] = seq
			return err
		}, `
			SELECT m.user_id, m.seq
			FROM json_each(?) AS wanted CROSS JOIN read_marks AS m ON m.conversation_id = ? AND m.user_id = unhex(wanted.value)`,
			idList(users), conversation[:])
	})
	return found, err
}
