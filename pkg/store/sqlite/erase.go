package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// erasedAtOnce is how many messages one transaction erases at most.
const erasedAtOnce = 1000

// Erase erases what a user sent before a time; see storetest.Store. An index finds it.
func (s *Store) Erase(ctx context.Context, user chat.ID, before time.Time, tell func(chat.ErasedPart) error) error {
	var after chat.ErasedPart // where the last one ended
	for {
		part, err := s.eraseSome(ctx, user, before, after)
		if err != nil {
			return err
		}
		if len(part.Seqs) == 0 {
			return s.emptyLog(ctx)
		}
		if err := tell(part); err != nil {
			return err
		}
		after = part
	}
}

// emptyLog moves the write-ahead log into the file, where secure_delete has zeros in the place of what was there, and cuts it off:
// it holds pages as they were before. Where somebody reads from it for longer than the busy timeout it stays, until the
// next time.
func (s *Store) emptyLog(ctx context.Context) error {
	return s.operations.Measure("empty_log", func() error {
		var busy, frames, moved int
		err := s.writer.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
		return s.classify(ctx, "empty_log", err)
	})
}

// AuthorsKnown tells whether Erase finds every message: the index is of all of them.
func (s *Store) AuthorsKnown(context.Context) (bool, error) { return true, nil }

// eraseSome erases messages of one conversation that follow, in the order of the index, those of another part.
func (s *Store) eraseSome(ctx context.Context, user chat.ID, before time.Time, after chat.ErasedPart) (part chat.ErasedPart, err error) {
	seq := int64(0)
	if n := len(after.Seqs); n > 0 {
		seq = after.Seqs[n-1]
	}
	err = s.write(ctx, "erase", func(tx *sql.Tx) error {
		part = chat.ErasedPart{}
		var ids []chat.ID
		if err := each(ctx, tx, func(rows *sql.Rows) error {
			var conversation, id chat.ID
			var seq, millis int64
			if err := rows.Scan(&conversation, &seq, &id, &millis); err != nil {
				return err
			}
			if len(part.Seqs) == 0 {
				part.ConversationID = conversation
			}
			if conversation != part.ConversationID {
				return nil // the next part's
			}
			created := fromMillis(millis)
			if len(part.Seqs) == 0 || created.Before(part.From) {
				part.From = created
			}
			if created.After(part.To) {
				part.To = created
			}
			part.Seqs, ids = append(part.Seqs, seq), append(ids, id)
			return nil
		}, `SELECT conversation_id, seq, id, created_at FROM messages
			WHERE sender_id = ?1 AND (conversation_id, seq) > (?2, ?3) AND created_at < ?4 ORDER BY conversation_id, seq LIMIT ?5`,
			user[:], after.ConversationID[:], seq, before.UnixMilli(), erasedAtOnce); err != nil {
			return err
		}
		if err := insert(ctx, tx, part.Seqs, `UPDATE messages SET text = '', attachment_urls = NULL, sender_username = '' WHERE conversation_id = ? AND seq = ?`,
			func(seq int64) ([]any, error) { return []any{part.ConversationID[:], seq}, nil }); err != nil {
			return err
		}
		return insert(ctx, tx, ids, `UPDATE message_ids SET body_hash = zeroblob(32) WHERE id = ?`,
			func(id chat.ID) ([]any, error) { return []any{id[:]}, nil })
	})
	return part, err
}

// PutErasure remembers how far an erasure has come; of two requests the newer stays, of one what has come further.
func (s *Store) PutErasure(ctx context.Context, e chat.Erasure) error {
	var finished any
	if !e.FinishedAt.IsZero() {
		finished = e.FinishedAt.UnixMilli()
	}
	return s.write(ctx, "put_erasure", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO erasures (user_id, requested_at, conversations, messages, finished_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (user_id) DO UPDATE
			SET requested_at = excluded.requested_at, conversations = excluded.conversations, messages = excluded.messages, finished_at = excluded.finished_at
			WHERE (excluded.requested_at, excluded.finished_at IS NOT NULL, excluded.messages) > (requested_at, finished_at IS NOT NULL, messages)`,
			e.UserID[:], e.RequestedAt.UnixMilli(), e.Conversations, e.Messages, finished)
		return err
	})
}

// Erasure is the newest one of a user.
func (s *Store) Erasure(ctx context.Context, user chat.ID) (e chat.Erasure, found bool, err error) {
	err = s.read(ctx, "erasure", func(tx *sql.Tx) error {
		return each(ctx, tx, func(rows *sql.Rows) error {
			var requested int64
			var finished sql.NullInt64
			if err := rows.Scan(&requested, &e.Conversations, &e.Messages, &finished); err != nil {
				return err
			}
			found, e.UserID, e.RequestedAt = true, user, fromMillis(requested)
			if finished.Valid {
				e.FinishedAt = fromMillis(finished.Int64)
			}
			return nil
		}, `SELECT requested_at, conversations, messages, finished_at FROM erasures WHERE user_id = ?`, user[:])
	})
	return e, found, err
}
