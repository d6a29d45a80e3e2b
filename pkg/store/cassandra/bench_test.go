package cassandra

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

func message(conversation chat.ID, seq int64, text string) chat.StoredMessage {
	return chat.StoredMessage{
		Message: chat.Message{
			ID: chat.NewID(), ConversationID: conversation, Seq: seq, Text: text,
			Sender: chat.User{ID: chat.NewID(), Username: "ann"}, CreatedAt: time.UnixMilli(1_750_000_000_000 + seq).UTC(),
		},
		Position: chat.Position{Offset: seq},
	}
}

func head(m chat.StoredMessage) chat.Head {
	return chat.Head{ConversationID: m.ConversationID, Seq: m.Seq, Position: m.Position, ActivityAt: m.CreatedAt}
}

func newIDs(n int) []chat.ID {
	list := make([]chat.ID, n)
	for i := range list {
		list[i] = chat.NewID()
	}
	return list
}

// BenchmarkPutMessages stores batches as deliver does: new messages, spread over a hundred conversations or each in
// one of its own. A message is two rows.
func BenchmarkPutMessages(b *testing.B) {
	s := open(b, migrated(b))
	for _, rooms := range []int{100, 100_000} {
		for _, size := range []int{1, 10, 100, 1000} {
			b.Run(fmt.Sprintf("rooms=%d/batch=%d", rooms, size), func(b *testing.B) {
				ids, text, n := newIDs(rooms), strings.Repeat("hello ", 20), 0
				for b.Loop() {
					batch := make([]chat.StoredMessage, size)
					for i := range batch {
						batch[i] = message(ids[n%rooms], int64(n/rooms+1), text)
						n++
					}
					if err := s.PutMessages(b.Context(), batch); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(2*n)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}

// BenchmarkRawInserts is the floor of the above: the driver alone inserting the same rows, at the same concurrency.
func BenchmarkRawInserts(b *testing.B) {
	s := open(b, migrated(b))
	text, n := strings.Repeat("hello ", 20), 1000
	for b.Loop() {
		ids := newIDs(n)
		if err := s.each(b.Context(), 2*n, func(ctx context.Context, i int) error {
			m := message(ids[i/2], 1, text)
			w := messageWrite(m)
			if i%2 == 0 {
				w = messageIDWrite(m)
			}
			return s.session.Query(w.statement, w.args...).WithContext(ctx).Exec()
		}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(2*n*b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkPutHeads moves the heads of a thousand conversations of two members each.
func BenchmarkPutHeads(b *testing.B) {
	s := open(b, migrated(b))
	heads := fillInbox(b, s, chat.NewID(), 1000)
	for b.Loop() {
		for i := range heads {
			heads[i].Seq++
		}
		if err := s.PutHeads(b.Context(), heads); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(1000*b.N)/b.Elapsed().Seconds(), "heads/s")
}

// BenchmarkHeads reads ten thousand heads that nothing has in memory.
func BenchmarkHeads(b *testing.B) {
	s := open(b, migrated(b))
	ids := newIDs(10_000)
	var heads []chat.Head
	for _, id := range ids {
		heads = append(heads, head(message(id, 7, "")))
	}
	if err := s.PutHeads(b.Context(), heads); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if found, err := s.Heads(b.Context(), ids); err != nil || len(found) != len(ids) {
			b.Fatal(len(found), err)
		}
	}
	b.ReportMetric(float64(len(ids)*b.N)/b.Elapsed().Seconds(), "heads/s")
}

// BenchmarkInbox reads the first page, and the peers, of a seller with few and with very many conversations.
func BenchmarkInbox(b *testing.B) {
	s := open(b, migrated(b))
	for _, n := range []int{20, 1000, 20_000} {
		seller := chat.NewID()
		fillInbox(b, s, seller, n)
		b.Run(fmt.Sprint("page/conversations=", n), func(b *testing.B) {
			for b.Loop() {
				entries, err := s.Inbox(b.Context(), seller, chat.InboxCursor{}, 20)
				if err != nil || len(entries) != 20 || entries[0].LastMessage == nil {
					b.Fatal(len(entries), err)
				}
			}
		})
		b.Run(fmt.Sprint("peers/conversations=", n), func(b *testing.B) {
			for b.Loop() {
				if peers, err := s.Peers(b.Context(), seller, 500); err != nil || len(peers) != min(n, 500) {
					b.Fatal(len(peers), err)
				}
			}
		})
	}
}

// fillInbox gives a seller n buyers who each wrote once.
func fillInbox(b *testing.B, s *Store, seller chat.ID, n int) []chat.Head {
	b.Helper()
	var messages []chat.StoredMessage
	var heads []chat.Head
	for i, id := range newIDs(n) {
		m := message(id, 1, "is it still there?")
		m.CreatedAt = time.UnixMilli(int64(i * 7919 % n))
		messages, heads = append(messages, m), append(heads, head(m))
	}
	// As CreateConversation would leave it, without its transactions.
	if err := s.each(b.Context(), n, func(ctx context.Context, i int) error {
		r := row{Conversation: chat.Conversation{ID: heads[i].ConversationID, Revision: 1, CreatedAt: time.UnixMilli(1), Members: []chat.Member{
			{UserID: seller, Username: "seller", Role: "seller"}, {UserID: chat.NewID(), Username: "buyer", Role: "buyer"}}}}
		if err := s.enlist(ctx, r, r.Members...); err != nil {
			return err
		}
		return s.request(ctx, `INSERT INTO conversations (id, key, created_at, metadata, revision, members, wide, inboxes) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			uuid(r.ID), r.Key, r.CreatedAt.UnixMilli(), `{"listing": "a bicycle"}`, r.Revision, toMembers(r.Members), false, r.inboxes()).Exec()
	}); err != nil {
		b.Fatal(err)
	}
	if err := s.PutMessages(b.Context(), messages); err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(s.PutHeads(b.Context(), heads), s.PutInboxes(b.Context(), heads)); err != nil {
		b.Fatal(err)
	}
	return heads
}
