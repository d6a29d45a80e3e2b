package cassandra

import (
	"context"

	"github.com/gocql/gocql"

	"github.com/dozaar/dozaar/pkg/chat"
)

// PutHeads moves heads; the greatest seq of a conversation wins.
func (s *Store) PutHeads(ctx context.Context, heads []chat.Head) error {
	return s.measure(ctx, "put_heads", func() error {
		heads := greatest(heads)
		return s.each(ctx, len(heads), func(ctx context.Context, i int) error {
			h := heads[i]
			return s.request(ctx, putHead, uuid(h.ConversationID), h.Seq, h.Position.Epoch, h.Position.Offset, h.ActivityAt.UnixMilli(), h.Seq).Exec()
		})
	})
}

// PutInboxes copies heads, which were put before, to the members' inbox rows; the greatest seq of a conversation wins.
//
// The head is written before the members are read, and whoever adds a member writes the members before he reads the
// head (members.go): one of the two sees the other, so no inbox row misses a head.
func (s *Store) PutInboxes(ctx context.Context, heads []chat.Head) error {
	return s.measure(ctx, "put_inboxes", func() error {
		heads := greatest(heads)
		inboxes := make([][]gocql.UUID, len(heads))
		if err := s.each(ctx, len(heads), func(ctx context.Context, i int) error {
			_, err := one(s.request(ctx, `SELECT inboxes FROM conversations WHERE id = ?`, uuid(heads[i].ConversationID)), &inboxes[i])
			return err
		}); err != nil {
			return err
		}
		var writes []write
		for i, users := range inboxes {
			for _, user := range users {
				writes = append(writes, activityWrite(chat.ID(user), heads[i]))
			}
		}
		return s.apply(ctx, writes)
	})
}

const putHead = `
	INSERT INTO heads (conversation_id, seq, log_epoch, log_offset, activity_at) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?`

// greatest is the head with the greatest seq of each conversation.
func greatest(heads []chat.Head) []chat.Head {
	at := make(map[chat.ID]int, len(heads))
	kept := make([]chat.Head, 0, len(heads))
	for _, h := range heads {
		i, seen := at[h.ConversationID]
		switch {
		case !seen:
			at[h.ConversationID] = len(kept)
			kept = append(kept, h)
		case h.Seq > kept[i].Seq:
			kept[i] = h
		}
	}
	return kept
}

// activityWrite copies a head to the inbox row of a user.
func activityWrite(user chat.ID, h chat.Head) write {
	return write{
		partition: partition{"inbox", user, 0},
		statement: `UPDATE inbox USING TIMESTAMP ? SET last_seq = ?, activity_at = ? WHERE user_id = ? AND conversation_id = ?`,
		args:      []any{h.Seq, h.Seq, h.ActivityAt.UnixMilli(), uuid(user), uuid(h.ConversationID)},
	}
}

// Revisions reads how often the members of conversations have changed. One that there is not is absent.
func (s *Store) Revisions(ctx context.Context, conversations []chat.ID) (map[chat.ID]int64, error) {
	found := make(map[chat.ID]int64, len(conversations))
	err := s.measure(ctx, "revisions", func() error {
		return s.many(ctx, `SELECT id, revision FROM conversations WHERE id = ?`, conversations, func(row gocql.Scanner) error {
			var id gocql.UUID
			var revision int64
			err := row.Scan(&id, &revision)
			found[chat.ID(id)] = revision
			return err
		})
	})
	return found, err
}

// Heads reads the heads of conversations. One without a message is absent.
func (s *Store) Heads(ctx context.Context, conversations []chat.ID) (map[chat.ID]chat.Head, error) {
	found := make(map[chat.ID]chat.Head, len(conversations))
	err := s.measure(ctx, "heads", func() error { return s.heads(ctx, conversations, found) })
	return found, err
}

func (s *Store) heads(ctx context.Context, conversations []chat.ID, found map[chat.ID]chat.Head) error {
	return s.many(ctx, selectHead, conversations, func(row gocql.Scanner) error {
		h, err := scanHead(row.Scan)
		found[h.ConversationID] = h
		return err
	})
}

func (s *Store) head(ctx context.Context, conversation chat.ID) (h chat.Head, found bool, err error) {
	h, err = scanHead(func(columns ...any) (err error) {
		found, err = one(s.request(ctx, selectHead, uuid(conversation)), columns...)
		return err
	})
	return h, found, err
}

const selectHead = `SELECT conversation_id, seq, log_epoch, log_offset, activity_at FROM heads WHERE conversation_id = ?`

func scanHead(scan func(...any) error) (h chat.Head, err error) {
	var conversation gocql.UUID
	var activityAt int64
	err = scan(&conversation, &h.Seq, &h.Position.Epoch, &h.Position.Offset, &activityAt)
	h.ConversationID, h.ActivityAt = chat.ID(conversation), fromMillis(activityAt)
	return h, err
}

// PutReadMarks moves read marks; the greatest seq of a conversation and user wins.
func (s *Store) PutReadMarks(ctx context.Context, marks []chat.ReadMark) error {
	return s.measure(ctx, "put_read_marks", func() error {
		writes := make([]write, len(marks))
		for i, m := range marks {
			writes[i] = write{
				partition: partition{"inbox", m.UserID, 0},
				statement: `UPDATE inbox USING TIMESTAMP ? SET read_seq = ? WHERE user_id = ? AND conversation_id = ?`,
				args:      []any{m.Seq, m.Seq, uuid(m.UserID), uuid(m.ConversationID)},
			}
		}
		return s.apply(ctx, writes)
	})
}

// ReadSeqs is up to where each of the users has read a conversation; 0 for nothing.
func (s *Store) ReadSeqs(ctx context.Context, conversation chat.ID, users []chat.ID) (map[chat.ID]int64, error) {
	found := make(map[chat.ID]int64, len(users))
	for _, user := range users {
		found[user] = 0
	}
	err := s.measure(ctx, "read_seqs", func() error {
		return s.many(ctx, `SELECT user_id, read_seq FROM inbox WHERE user_id = ? AND conversation_id = ?`, users, func(row gocql.Scanner) error {
			var user gocql.UUID
			var seq int64
			err := row.Scan(&user, &seq)
			found[chat.ID(user)] = seq
			return err
		}, uuid(conversation))
	})
	return found, err
}
