package cassandra

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"golang.org/x/sync/errgroup"

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

// BenchmarkStatements is what each row and each read of a message's way costs: one statement at a time in one of 64
// callers, as raw inserts are measured. messages is the floor, the row that nobody can do without.
func BenchmarkStatements(b *testing.B) {
	s := open(b, migrated(b))
	heads := fillInbox(b, s, chat.NewID(), 2000)
	fresh := func(i int) chat.StoredMessage {
		return message(heads[i%len(heads)].ConversationID, int64(i/len(heads)+2), strings.Repeat("hello ", 20))
	}
	for _, kind := range []struct {
		name string
		do   func(ctx context.Context, i int) error
	}{
		{"messages/write", func(ctx context.Context, i int) error { return s.apply(ctx, []write{messageWrite(fresh(i))}) }},
		{"message_ids/write", func(ctx context.Context, i int) error { return s.apply(ctx, []write{messageIDWrite(fresh(i))}) }},
		{"message_ids/read-of-none", func(ctx context.Context, _ int) error {
			_, err := s.StoredByID(ctx, []chat.ID{chat.NewID()})
			return err
		}},
		{"heads/write", func(ctx context.Context, i int) error { return s.PutHeads(ctx, []chat.Head{head(fresh(i))}) }},
		{"heads/read", func(ctx context.Context, i int) error { _, _, err := s.head(ctx, fresh(i).ConversationID); return err }},
		{"inbox/write-of-a-mark", func(ctx context.Context, i int) error {
			return s.PutReadMarks(ctx, []chat.ReadMark{{ConversationID: fresh(i).ConversationID, UserID: chat.NewID(), Seq: int64(i)}})
		}},
		{"inbox/write-of-a-copy", func(ctx context.Context, i int) error {
			return s.apply(ctx, []write{activityWrite(chat.NewID(), head(fresh(i)))})
		}},
		{"conversations/read-of-inboxes", func(ctx context.Context, i int) error {
			var users []gocql.UUID
			_, err := one(s.request(ctx, `SELECT inboxes FROM conversations WHERE id = ?`, uuid(fresh(i).ConversationID)), &users)
			return err
		}},
		{"conversations/read-of-members", func(ctx context.Context, i int) error {
			_, err := s.Conversation(ctx, fresh(i).ConversationID)
			return err
		}},
	} {
		b.Run(kind.name, func(b *testing.B) {
			if err := s.each(b.Context(), b.N, kind.do); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "statements/s")
		})
	}
}

// BenchmarkMessagesWay is all that deliver asks of the store for a slice of messages of a conversation of two, in its
// order, in 64 conversations beside each other; and the same without what might be saved.
func BenchmarkMessagesWay(b *testing.B) {
	s := open(b, migrated(b))
	heads := fillInbox(b, s, chat.NewID(), 2000)
	for _, way := range []struct {
		name                       string
		size                       int
		noLookup, noMark, noCopies bool
	}{
		{name: "slice=1", size: 1},
		{name: "slice=1/without-the-by-id-read", size: 1, noLookup: true},
		{name: "slice=1/without-the-mark", size: 1, noMark: true},
		{name: "slice=1/without-the-inboxes", size: 1, noCopies: true},
		{name: "slice=10", size: 10},
	} {
		b.Run(way.name, func(b *testing.B) {
			err := s.each(b.Context(), b.N, func(ctx context.Context, n int) error {
				slice := make([]chat.StoredMessage, way.size)
				ids := make([]chat.ID, way.size)
				for i := range slice {
					slice[i] = message(heads[n%len(heads)].ConversationID, int64(n/len(heads)*way.size+i+2), strings.Repeat("hello ", 20))
					ids[i] = slice[i].ID
				}
				last := slice[way.size-1]
				if !way.noLookup {
					if _, err := s.StoredByID(ctx, ids); err != nil {
						return err
					}
				}
				rows, ctx := errgroup.WithContext(ctx)
				rows.Go(func() error { return s.PutMessages(ctx, slice) })
				if !way.noMark {
					rows.Go(func() error {
						return s.PutReadMarks(ctx, []chat.ReadMark{{ConversationID: last.ConversationID, UserID: last.Sender.ID, Seq: last.Seq}})
					})
				}
				if err := rows.Wait(); err != nil {
					return err
				}
				ctx = b.Context() // the group's has ended
				if err := s.PutHeads(ctx, []chat.Head{head(last)}); err != nil || way.noCopies {
					return err
				}
				return s.PutInboxes(ctx, []chat.Head{head(last)})
			})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N*way.size)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}
