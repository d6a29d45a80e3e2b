package cassandra

import (
	"context"
	"math"
	"slices"

	"github.com/gocql/gocql"

	"github.com/dozaar/dozaar/pkg/chat"
)

// messageColumns are what scanMessage takes.
const messageColumns = `seq, id, sender_id, sender_username, created_at, client_message_id, attachment_urls, text`

func scanMessage(conversation chat.ID, scan func(...any) error) (chat.Message, error) {
	var (
		m                  = chat.Message{ConversationID: conversation}
		id, sender, client gocql.UUID
		createdAt          int64
	)
	err := scan(&m.Seq, &id, &sender, &m.Sender.Username, &createdAt, &client, &m.AttachmentURLs, &m.Text)
	m.ID, m.Sender.ID, m.ClientMessageID = chat.ID(id), chat.ID(sender), chat.ID(client)
	m.CreatedAt = fromMillis(createdAt)
	if len(m.AttachmentURLs) == 0 {
		m.AttachmentURLs = nil
	}
	return m, err
}

// Messages reads up to limit messages above afterSeq in ascending order, never past the head. The head is
// read first: rows that were read before it might have gaps below it.
func (s *Store) Messages(ctx context.Context, conversation chat.ID, afterSeq int64, limit int) ([]chat.Message, error) {
	var list []chat.Message
	err := s.measure(ctx, "messages", func() error {
		head, found, err := s.head(ctx, conversation)
		if err != nil || !found {
			return err
		}
		afterSeq = max(afterSeq, 0)
		for bucket := afterSeq / bucketSize; len(list) < limit && afterSeq < head.Seq && bucket <= bucketOf(head.Seq); bucket++ {
			page, err := s.page(ctx, conversation, `SELECT `+messageColumns+` FROM messages
				WHERE conversation_id = ? AND bucket = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?`,
				bucket, afterSeq, head.Seq, limit-len(list))
			if err != nil {
				return err
			}
			list = append(list, page...)
		}
		return nil
	})
	return list, err
}

// MessagesBefore reads the newest limit messages below beforeSeq (0: from the head on down) in ascending
// order, never past the head.
func (s *Store) MessagesBefore(ctx context.Context, conversation chat.ID, beforeSeq int64, limit int) ([]chat.Message, error) {
	var list []chat.Message
	err := s.measure(ctx, "messages_before", func() error {
		head, found, err := s.head(ctx, conversation)
		if err != nil || !found {
			return err
		}
		if beforeSeq == 0 {
			beforeSeq = math.MaxInt64
		}
		upTo := min(beforeSeq-1, head.Seq)
		for bucket := bucketOf(upTo); len(list) < limit && upTo > 0 && bucket >= 0; bucket-- {
			page, err := s.page(ctx, conversation, `SELECT `+messageColumns+` FROM messages
				WHERE conversation_id = ? AND bucket = ? AND seq > ? AND seq <= ? ORDER BY seq DESC LIMIT ?`,
				bucket, 0, upTo, limit-len(list))
			if err != nil {
				return err
			}
			list = append(list, page...)
		}
		slices.Reverse(list)
		return nil
	})
	return list, err
}

func (s *Store) page(ctx context.Context, conversation chat.ID, query string, bucket, above, upTo int64, limit int) ([]chat.Message, error) {
	var list []chat.Message
	err := rows(s.request(ctx, query, uuid(conversation), bucket, above, upTo, int32(min(limit, math.MaxInt32))),
		func(row gocql.Scanner) (bool, error) {
			m, err := scanMessage(conversation, row.Scan)
			list = append(list, m)
			return false, err
		})
	return list, err
}

// message reads one message.
func (s *Store) message(ctx context.Context, conversation chat.ID, seq int64) (*chat.Message, error) {
	var found bool
	m, err := scanMessage(conversation, func(columns ...any) (err error) {
		found, err = one(s.request(ctx, `SELECT `+messageColumns+` FROM messages WHERE conversation_id = ? AND bucket = ? AND seq = ?`,
			uuid(conversation), bucketOf(seq), seq), columns...)
		return err
	})
	if err != nil || !found {
		return nil, err
	}
	return &m, nil
}

// LastBefore is the greatest seq stored at a position lower than p, heads notwithstanding; 0 for none.
//
// It starts at the last bucket that has a row: from the head's upwards to the first empty one, as what is stored
// at lower positions has no gaps. Then it looks from the newest row down, past as many as were stored at
// or after p.
func (s *Store) LastBefore(ctx context.Context, conversation chat.ID, p chat.Position) (last int64, err error) {
	err = s.measure(ctx, "last_before", func() error {
		head, _, err := s.head(ctx, conversation)
		if err != nil {
			return err
		}
		bucket := bucketOf(max(head.Seq, 1))
		for next := true; next; {
			if next, err = s.anyIn(ctx, conversation, bucket+1); err != nil {
				return err
			}
			if next {
				bucket++
			}
		}
		for ; bucket >= 0 && last == 0; bucket-- {
			if last, err = s.lastIn(ctx, conversation, bucket, p); err != nil {
				return err
			}
		}
		return nil
	})
	return last, err
}

func (s *Store) anyIn(ctx context.Context, conversation chat.ID, bucket int64) (bool, error) {
	var seq int64
	return one(s.request(ctx, `SELECT seq FROM messages WHERE conversation_id = ? AND bucket = ? LIMIT 1`, uuid(conversation), bucket), &seq)
}

func (s *Store) lastIn(ctx context.Context, conversation chat.ID, bucket int64, p chat.Position) (last int64, err error) {
	err = rows(s.request(ctx, `SELECT seq, log_epoch, log_offset FROM messages WHERE conversation_id = ? AND bucket = ? ORDER BY seq DESC`,
		uuid(conversation), bucket).PageSize(200), func(row gocql.Scanner) (bool, error) {
		var seq int64
		var at chat.Position
		if err := row.Scan(&seq, &at.Epoch, &at.Offset); err != nil || !at.Before(p) {
			return false, err
		}
		last = seq
		return true, nil
	})
	return last, err
}
