package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// PutMessages stores messages and their by-id rows, all or none of them. Of two rows of one
// (conversation, seq) the greater position stays, of two of one message id the lower. At the same position
// nothing is written: a replay costs no disk, and cannot bring back what was erased since.
func (s *Store) PutMessages(ctx context.Context, messages []chat.StoredMessage) error {
	if len(messages) == 0 {
		return ctx.Err()
	}
	return s.gathered(ctx, "put_messages", func(ctx context.Context, tx *sql.Tx) error {
		if err := insert(ctx, tx, messages, putMessage, messageValues); err != nil {
			return err
		}
		return insert(ctx, tx, messages, putMessageID, messageIDValues)
	})
}

const putMessage = `
	INSERT INTO messages (conversation_id, seq, log_epoch, log_offset, id, sender_id, sender_username,
	                      created_at, client_message_id, attachment_urls, text)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (conversation_id, seq) DO UPDATE
	SET log_epoch = excluded.log_epoch, log_offset = excluded.log_offset, id = excluded.id,
	    sender_id = excluded.sender_id, sender_username = excluded.sender_username,
	    created_at = excluded.created_at, client_message_id = excluded.client_message_id,
	    attachment_urls = excluded.attachment_urls, text = excluded.text
	WHERE (excluded.log_epoch, excluded.log_offset) > (log_epoch, log_offset)`

func messageValues(m chat.StoredMessage) ([]any, error) {
	var urls any
	if len(m.AttachmentURLs) > 0 {
		list, err := json.Marshal(m.AttachmentURLs)
		if err != nil {
			return nil, err
		}
		urls = string(list)
	}
	return []any{m.ConversationID[:], m.Seq, m.Position.Epoch, m.Position.Offset, m.ID[:], m.Sender.ID[:],
		m.Sender.Username, m.CreatedAt.UnixMilli(), optional(m.ClientMessageID), urls, m.Text}, nil
}

const putMessageID = `
	INSERT INTO message_ids (id, conversation_id, seq, log_epoch, log_offset, sender_id, created_at, body_hash)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (id) DO UPDATE
	SET conversation_id = excluded.conversation_id, seq = excluded.seq, log_epoch = excluded.log_epoch,
	    log_offset = excluded.log_offset, sender_id = excluded.sender_id, created_at = excluded.created_at,
	    body_hash = excluded.body_hash
	WHERE (excluded.log_epoch, excluded.log_offset) < (log_epoch, log_offset)`

func messageIDValues(m chat.StoredMessage) ([]any, error) {
	hash := m.BodyHash()
	return []any{m.ID[:], m.ConversationID[:], m.Seq, m.Position.Epoch, m.Position.Offset, m.Sender.ID[:],
		m.CreatedAt.UnixMilli(), hash[:]}, nil
}

// Messages reads up to limit messages above afterSeq in ascending order, never past the head.
func (s *Store) Messages(ctx context.Context, conversation chat.ID, afterSeq int64, limit int) ([]chat.Message, error) {
	return s.history(ctx, "messages", `seq > ?2 `+upToHead+` ORDER BY seq LIMIT ?3`, conversation, afterSeq, limit)
}

// MessagesBefore reads the newest limit messages below beforeSeq (0: from the head on down) in ascending
// order, never past the head.
func (s *Store) MessagesBefore(ctx context.Context, conversation chat.ID, beforeSeq int64, limit int) ([]chat.Message, error) {
	if beforeSeq == 0 {
		beforeSeq = math.MaxInt64
	}
	list, err := s.history(ctx, "messages_before", `seq < ?2 `+upToHead+` ORDER BY seq DESC LIMIT ?3`, conversation, beforeSeq, limit)
	slices.Reverse(list)
	return list, err
}

const upToHead = `AND seq <= (SELECT h.seq FROM heads AS h WHERE h.conversation_id = ?1)`

func (s *Store) history(ctx context.Context, operation, which string, conversation chat.ID, seq int64, limit int) ([]chat.Message, error) {
	var list []chat.Message
	err := s.read(ctx, operation, func(tx *sql.Tx) error {
		return each(ctx, tx, func(rows *sql.Rows) error {
			var row messageRow
			if err := rows.Scan(row.columns()...); err != nil {
				return err
			}
			m, err := row.message()
			list = append(list, m)
			return err
		}, `SELECT `+messageColumns+` FROM messages AS m WHERE conversation_id = ?1 AND `+which, conversation[:], seq, max(limit, 0))
	})
	return list, err
}

// LastBefore is the greatest seq stored at a position lower than p, heads notwithstanding; 0 for none. It
// looks from the newest row down, past as many as were stored at or after p.
func (s *Store) LastBefore(ctx context.Context, conversation chat.ID, p chat.Position) (int64, error) {
	var last int64
	err := s.read(ctx, "last_before", func(tx *sql.Tx) error {
		return each(ctx, tx, func(rows *sql.Rows) error { return rows.Scan(&last) }, `
			SELECT seq FROM messages WHERE conversation_id = ? AND (log_epoch, log_offset) < (?, ?)
			ORDER BY seq DESC LIMIT 1`, conversation[:], p.Epoch, p.Offset)
	})
	return last, err
}

// StoredByID finds where messages are. An unknown one is absent.
func (s *Store) StoredByID(ctx context.Context, ids []chat.ID) (map[chat.ID]chat.StoredID, error) {
	found := make(map[chat.ID]chat.StoredID, len(ids))
	err := s.read(ctx, "stored_by_id", func(tx *sql.Tx) error {
		return each(ctx, tx, func(rows *sql.Rows) error {
			var (
				id        chat.ID
				stored    chat.StoredID
				hash      []byte
				createdAt int64
			)
			if err := rows.Scan(&id, &stored.ConversationID, &stored.Seq, &stored.Position.Epoch,
				&stored.Position.Offset, &stored.SenderID, &createdAt, &hash); err != nil {
				return err
			}
			copy(stored.BodyHash[:], hash)
			stored.CreatedAt = fromMillis(createdAt)
			found[id] = stored
			return nil
		}, `
			SELECT i.id, i.conversation_id, i.seq, i.log_epoch, i.log_offset, i.sender_id, i.created_at, i.body_hash
			FROM json_each(?) AS wanted CROSS JOIN message_ids AS i ON i.id = unhex(wanted.value)`, idList(ids))
	})
	return found, err
}

// messageColumns are what a messageRow takes, of a table called m.
const messageColumns = `m.conversation_id, m.seq, m.id, m.sender_id, m.sender_username, m.created_at,
	m.client_message_id, m.attachment_urls, m.text`

// messageRow takes a row of messages, or the NULLs of an outer join that found none.
type messageRow struct {
	conversationID, id, senderID, clientMessageID chat.ID
	seq, createdAt                                sql.NullInt64
	senderUsername, attachmentURLs, text          sql.NullString
}

func (r *messageRow) columns() []any {
	return []any{&r.conversationID, &r.seq, &r.id, &r.senderID, &r.senderUsername, &r.createdAt,
		&r.clientMessageID, &r.attachmentURLs, &r.text}
}

func (r *messageRow) message() (chat.Message, error) {
	m := chat.Message{
		ID:              r.id,
		ConversationID:  r.conversationID,
		Seq:             r.seq.Int64,
		Sender:          chat.User{ID: r.senderID, Username: r.senderUsername.String},
		Text:            r.text.String,
		ClientMessageID: r.clientMessageID,
		CreatedAt:       fromMillis(r.createdAt.Int64),
	}
	if r.attachmentURLs.Valid {
		if err := json.Unmarshal([]byte(r.attachmentURLs.String), &m.AttachmentURLs); err != nil {
			return m, fmt.Errorf("attachments of message %s: %w", m.ID, err)
		}
	}
	return m, nil
}

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
