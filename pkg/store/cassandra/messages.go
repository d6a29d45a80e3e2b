package cassandra

import (
	"context"

	"github.com/gocql/gocql"

	"github.com/dozaar/dozaar/pkg/chat"
)

// bucketSize is how many messages share a partition. It is part of the data: changing it loses the history.
const bucketSize = 1000

func bucketOf(seq int64) int64 { return (seq - 1) / bucketSize }

// PutMessages stores messages and their by-id rows. Of two rows of one (conversation, seq) the greater position
// stays, of two of one message id the lower. When it fails, some rows may be stored and others not.
func (s *Store) PutMessages(ctx context.Context, messages []chat.StoredMessage) error {
	return s.measure(ctx, "put_messages", func() error {
		var writes []write
		for _, m := range messages {
			writes = append(writes, messageWrite(m), messageIDWrite(m))
		}
		authors, theirs := s.authorWrites(messages)
		writes = append(writes, theirs...)
		if err := s.apply(ctx, writes); err != nil {
			return err
		}
		for _, a := range authors {
			s.authors.Add(a, struct{}{})
		}
		return nil
	})
}

const putMessage = `
	INSERT INTO messages (conversation_id, bucket, seq, log_epoch, log_offset, id, sender_id, sender_username,
	                      created_at, client_message_id, attachment_urls, text)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?`

func messageWrite(m chat.StoredMessage) write {
	urls := m.AttachmentURLs
	if urls == nil {
		urls = []string{} // nil would be null
	}
	size := len(m.Sender.Username) + len(m.Text)
	for _, u := range urls {
		size += len(u)
	}
	bucket := bucketOf(m.Seq)
	return write{
		partition: partition{"messages", m.ConversationID, bucket},
		statement: putMessage,
		args: []any{uuid(m.ConversationID), bucket, m.Seq, m.Position.Epoch, m.Position.Offset, uuid(m.ID), uuid(m.Sender.ID),
			m.Sender.Username, m.CreatedAt.UnixMilli(), uuid(m.ClientMessageID), urls, m.Text, ascending(m.Position)},
		size: size,
	}
}

const putMessageID = `
	INSERT INTO message_ids (id, conversation_id, seq, log_epoch, log_offset, sender_id, created_at, body_hash)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?`

func messageIDWrite(m chat.StoredMessage) write {
	hash := m.BodyHash()
	return write{
		partition: partition{"message_ids", m.ID, 0},
		statement: putMessageID,
		args: []any{uuid(m.ID), uuid(m.ConversationID), m.Seq, m.Position.Epoch, m.Position.Offset, uuid(m.Sender.ID),
			m.CreatedAt.UnixMilli(), hash[:], descending(m.Position)},
	}
}

// StoredByID finds where messages are. An unknown one is absent.
func (s *Store) StoredByID(ctx context.Context, ids []chat.ID) (map[chat.ID]chat.StoredID, error) {
	found := make(map[chat.ID]chat.StoredID, len(ids))
	err := s.measure(ctx, "stored_by_id", func() error {
		return s.many(ctx, `
			SELECT id, conversation_id, seq, log_epoch, log_offset, sender_id, created_at, body_hash
			FROM message_ids WHERE id = ?`, ids, func(row gocql.Scanner) error {
			var (
				id, conversation, sender gocql.UUID
				stored                   chat.StoredID
				createdAt                int64
				hash                     []byte
			)
			err := row.Scan(&id, &conversation, &stored.Seq, &stored.Position.Epoch, &stored.Position.Offset, &sender, &createdAt, &hash)
			stored.ConversationID, stored.SenderID = chat.ID(conversation), chat.ID(sender)
			stored.CreatedAt = fromMillis(createdAt)
			copy(stored.BodyHash[:], hash)
			found[chat.ID(id)] = stored
			return err
		})
	})
	return found, err
}
