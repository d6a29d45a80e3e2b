package cassandra

import (
	"context"
	"math"
	"time"

	"github.com/gocql/gocql"

	"github.com/dozaar/dozaar/pkg/chat"
)

// author is a row of authors.
type author struct {
	user, conversation chat.ID
	bucket             int64
}

// rememberedAuthors is how many rows of authors a process knows to be there; others are written once more.
const rememberedAuthors = 1 << 16

// authorWrites are the rows of authors that go with messages, but for those that this process has written before.
func (s *Store) authorWrites(messages []chat.StoredMessage) (fresh []author, writes []write) {
	seen := map[author]bool{}
	for _, m := range messages {
		a := author{m.Sender.ID, m.ConversationID, bucketOf(m.Seq)}
		if seen[a] || s.authors.Contains(a) {
			continue
		}
		seen[a] = true
		fresh = append(fresh, a)
		writes = append(writes, authorWrite(a))
	}
	return fresh, writes
}

func authorWrite(a author) write {
	return write{
		partition: partition{"authors", a.user, 0},
		statement: `INSERT INTO authors (user_id, conversation_id, bucket) VALUES (?, ?, ?) USING TIMESTAMP 1`,
		args:      []any{uuid(a.user), uuid(a.conversation), a.bucket},
	}
}

// erasing is the write timestamp of what is erased of a row: above the row's own, so that it stays when the row is
// written again, and below that of a row of any other position that would win over this one.
const erasing = 1

const (
	eraseMessage = `UPDATE messages USING TIMESTAMP ? SET text = '', attachment_urls = ?, sender_username = ''
		WHERE conversation_id = ? AND bucket = ? AND seq = ?`
	eraseMessageID = `UPDATE message_ids USING TIMESTAMP ? SET body_hash = ? WHERE id = ?`
)

// Erase erases what a user sent before a time; see storetest.Store. It reads the buckets in which they wrote, of at most a
// thousand messages each, and writes two rows for each of their messages.
func (s *Store) Erase(ctx context.Context, user chat.ID, before time.Time, each func(chat.ErasedPart) error) error {
	var places []author
	err := s.measure(ctx, "erase_find", func() error {
		return rows(s.request(ctx, `SELECT conversation_id, bucket FROM authors WHERE user_id = ?`, uuid(user)).PageSize(1000),
			func(row gocql.Scanner) (bool, error) {
				var conversation gocql.UUID
				place := author{user: user}
				err := row.Scan(&conversation, &place.bucket)
				place.conversation = chat.ID(conversation)
				places = append(places, place)
				return false, err
			})
	})
	if err != nil {
		return err
	}
	for _, place := range places {
		var part chat.ErasedPart
		err := s.measure(ctx, "erase", func() (err error) {
			part, err = s.eraseBucket(ctx, place, before)
			return err
		})
		if err != nil {
			return err
		}
		if len(part.Seqs) == 0 {
			continue
		}
		if err := each(part); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) eraseBucket(ctx context.Context, place author, before time.Time) (chat.ErasedPart, error) {
	part := chat.ErasedPart{ConversationID: place.conversation}
	var writes []write
	err := rows(s.request(ctx, `SELECT seq, log_epoch, log_offset, id, sender_id, created_at FROM messages WHERE conversation_id = ? AND bucket = ?`,
		uuid(place.conversation), place.bucket), func(row gocql.Scanner) (bool, error) {
		var (
			seq, millis int64
			at          chat.Position
			id, sender  gocql.UUID
		)
		if err := row.Scan(&seq, &at.Epoch, &at.Offset, &id, &sender, &millis); err != nil {
			return false, err
		}
		created := fromMillis(millis)
		if chat.ID(sender) != place.user || !created.Before(before) {
			return false, nil
		}
		if len(part.Seqs) == 0 || created.Before(part.From) {
			part.From = created
		}
		if created.After(part.To) {
			part.To = created
		}
		part.Seqs = append(part.Seqs, seq)
		writes = append(writes, write{
			partition: partition{"messages", place.conversation, place.bucket}, statement: eraseMessage,
			args: []any{ascending(at) + erasing, []string{}, uuid(place.conversation), place.bucket, seq},
		}, write{
			partition: partition{"message_ids", chat.ID(id), 0}, statement: eraseMessageID,
			args: []any{descending(at) + erasing, make([]byte, 32), id},
		})
		return false, nil
	})
	if err != nil {
		return part, err
	}
	return part, s.apply(ctx, writes)
}

// progressed is the write timestamp of an erasure's progress.
func progressed(e chat.Erasure) int64 {
	const bits = 20
	progress := min(e.Messages, 1<<bits-2)
	if !e.FinishedAt.IsZero() {
		progress = 1<<bits - 1
	}
	return min(max(e.RequestedAt.UnixMilli(), 0), math.MaxInt64>>bits)<<bits | progress
}

// PutErasure remembers how far an erasure has come.
func (s *Store) PutErasure(ctx context.Context, e chat.Erasure) error {
	finished := int64(0) // no cell is null
	if !e.FinishedAt.IsZero() {
		finished = e.FinishedAt.UnixMilli()
	}
	return s.measure(ctx, "put_erasure", func() error {
		return s.request(ctx, `INSERT INTO erasures (user_id, requested_at, conversations, messages, finished_at) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?`,
			uuid(e.UserID), e.RequestedAt.UnixMilli(), e.Conversations, e.Messages, finished, progressed(e)).Exec()
	})
}

// Erasure is the newest one of a user.
func (s *Store) Erasure(ctx context.Context, user chat.ID) (e chat.Erasure, found bool, err error) {
	var requested, finished int64
	err = s.measure(ctx, "erasure", func() error {
		found, err = one(s.request(ctx, `SELECT requested_at, conversations, messages, finished_at FROM erasures WHERE user_id = ?`, uuid(user)),
			&requested, &e.Conversations, &e.Messages, &finished)
		return err
	})
	if !found {
		return chat.Erasure{}, false, err
	}
	e.UserID, e.RequestedAt = user, fromMillis(requested)
	if finished > 0 {
		e.FinishedAt = fromMillis(finished)
	}
	return e, true, nil
}
