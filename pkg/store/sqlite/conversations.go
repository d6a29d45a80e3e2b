package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/dozaar/dozaar/pkg/chat"
)

// CreateConversation stores c unless its key, or its id under the same key, is taken: then it answers the
// first one, and created is false. An id that is taken under another key is chat.ErrConflict.
func (s *Store) CreateConversation(ctx context.Context, c chat.Conversation) (stored chat.Conversation, created bool, err error) {
	err = s.write(ctx, "create_conversation", func(tx *sql.Tx) error {
		first, err := findConversation(ctx, tx, c.ID, c.Key)
		if errors.Is(err, chat.ErrNotFound) {
			created = true
			if err := insertConversation(ctx, tx, c); err != nil {
				return err
			}
			first, err = loadConversation(ctx, tx, c.ID)
		}
		stored = first
		return err
	})
	if err != nil {
		return chat.Conversation{}, false, err
	}
	return stored, created, nil
}

// findConversation looks for a key, where there is one, then for an id.
func findConversation(ctx context.Context, tx *sql.Tx, id chat.ID, key string) (chat.Conversation, error) {
	if key != "" {
		var first chat.ID
		switch err := tx.QueryRowContext(ctx, `SELECT id FROM conversations WHERE key = ?`, key).Scan(&first); {
		case err == nil:
			return loadConversation(ctx, tx, first)
		case !errors.Is(err, sql.ErrNoRows):
			return chat.Conversation{}, err
		}
	}
	c, err := loadConversation(ctx, tx, id)
	if err == nil && c.Key != key {
		return chat.Conversation{}, fmt.Errorf("conversation %s has another key: %w", id, chat.ErrConflict)
	}
	return c, err
}

func insertConversation(ctx context.Context, tx *sql.Tx, c chat.Conversation) error {
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO conversations (id, key, revision, created_at, metadata) VALUES (?, ?, ?, ?, ?)`,
		c.ID[:], orNull(c.Key), c.Revision, c.CreatedAt.UnixMilli(), orNull(string(c.Metadata))); err != nil {
		return err
	}
	return insert(ctx, tx, c.Members, putMember, func(m chat.Member) ([]any, error) {
		return memberValues(c.ID, m), nil
	})
}

// Conversation reads one with its members, in the order in which they came.
func (s *Store) Conversation(ctx context.Context, id chat.ID) (c chat.Conversation, err error) {
	err = s.read(ctx, "conversation", func(tx *sql.Tx) error {
		c, err = loadConversation(ctx, tx, id)
		return err
	})
	return c, err
}

// PutMember adds a member at the end, or changes one in place.
func (s *Store) PutMember(ctx context.Context, conversation chat.ID, m chat.Member) (chat.Conversation, error) {
	return s.changeMembers(ctx, "put_member", conversation, putMember, memberValues(conversation, m))
}

// A member who is as he was is not written, so that the count of changed rows tells whether anything changed.
const putMember = `
	INSERT INTO members (conversation_id, user_id, username, role, place)
	VALUES (?1, ?2, ?3, ?4, (SELECT coalesce(max(place), 0) + 1 FROM members WHERE conversation_id = ?1))
	ON CONFLICT (user_id, conversation_id) DO UPDATE SET username = excluded.username, role = excluded.role
	WHERE (excluded.username, excluded.role) <> (username, role)`

func memberValues(conversation chat.ID, m chat.Member) []any {
	return []any{conversation[:], m.UserID[:], m.Username, m.Role}
}

// RemoveMember takes a member out. Somebody who is none is no error.
func (s *Store) RemoveMember(ctx context.Context, conversation, user chat.ID) (chat.Conversation, error) {
	return s.changeMembers(ctx, "remove_member", conversation,
		`DELETE FROM members WHERE conversation_id = ? AND user_id = ?`, []any{conversation[:], user[:]})
}

// changeMembers runs a statement on the members and raises the revision where it changed a row.
func (s *Store) changeMembers(ctx context.Context, operation string, id chat.ID, statement string, args []any) (c chat.Conversation, err error) {
	err = s.write(ctx, operation, func(tx *sql.Tx) error {
		if _, err := loadConversationRow(ctx, tx, id); err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, statement, args...)
		if err != nil {
			return err
		}
		changed, err := result.RowsAffected()
		if err != nil {
			return err
		}
		if changed > 0 {
			if _, err := tx.ExecContext(ctx, `UPDATE conversations SET revision = revision + 1 WHERE id = ?`, id[:]); err != nil {
				return err
			}
		}
		c, err = loadConversation(ctx, tx, id)
		return err
	})
	if err != nil {
		return chat.Conversation{}, err
	}
	return c, nil
}

func loadConversation(ctx context.Context, tx *sql.Tx, id chat.ID) (chat.Conversation, error) {
	c, err := loadConversationRow(ctx, tx, id)
	if err != nil {
		return chat.Conversation{}, err
	}
	err = eachMember(ctx, tx, []chat.ID{id}, func(_ chat.ID, m chat.Member) { c.Members = append(c.Members, m) })
	return c, err
}

func loadConversationRow(ctx context.Context, tx *sql.Tx, id chat.ID) (chat.Conversation, error) {
	var row conversationRow
	err := tx.QueryRowContext(ctx, `SELECT `+conversationColumns+` FROM conversations AS c WHERE c.id = ?`, id[:]).Scan(row.columns()...)
	if errors.Is(err, sql.ErrNoRows) {
		return chat.Conversation{}, fmt.Errorf("conversation %s: %w", id, chat.ErrNotFound)
	}
	return row.conversation(), err
}

// eachMember goes through the members of conversations, those of one in the order in which they came.
func eachMember(ctx context.Context, tx *sql.Tx, conversations []chat.ID, visit func(conversation chat.ID, m chat.Member)) error {
	return each(ctx, tx, func(rows *sql.Rows) error {
		var (
			conversation chat.ID
			m            chat.Member
		)
		err := rows.Scan(&conversation, &m.UserID, &m.Username, &m.Role)
		visit(conversation, m)
		return err
	}, `
		SELECT m.conversation_id, m.user_id, m.username, m.role
		FROM json_each(?) AS wanted CROSS JOIN members AS m ON m.conversation_id = unhex(wanted.value)
		ORDER BY m.conversation_id, m.place`, idList(conversations))
}

// conversationColumns are what a conversationRow takes, of a table called c.
const conversationColumns = `c.id, c.key, c.revision, c.created_at, c.metadata`

type conversationRow struct {
	id                  chat.ID
	key, metadata       sql.NullString
	revision, createdAt int64
}

func (r *conversationRow) columns() []any {
	return []any{&r.id, &r.key, &r.revision, &r.createdAt, &r.metadata}
}

func (r *conversationRow) conversation() chat.Conversation {
	c := chat.Conversation{ID: r.id, Key: r.key.String, Revision: r.revision, CreatedAt: fromMillis(r.createdAt)}
	if r.metadata.Valid {
		c.Metadata = json.RawMessage(r.metadata.String)
	}
	return c
}

func orNull(text string) sql.NullString {
	return sql.NullString{String: text, Valid: text != ""}
}
