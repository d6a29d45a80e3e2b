package sqlite

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// BenchmarkPutMessages stores batches as deliver does: new messages of a hundred conversations.
func BenchmarkPutMessages(b *testing.B) {
	for _, size := range []int{1, 10, 100, 500} {
		b.Run(fmt.Sprint("batch=", size), func(b *testing.B) {
			s := openAt(b, filepath.Join(b.TempDir(), "chat.db"))
			var rooms []chat.ID
			for range 100 {
				rooms = append(rooms, chat.NewID())
			}
			text, seq := strings.Repeat("hello ", 20), int64(0)
			for b.Loop() {
				batch := make([]chat.StoredMessage, size)
				for i := range batch {
					seq++
					batch[i] = message(rooms[seq%100], seq, text)
				}
				if err := s.PutMessages(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkInbox reads the first page of a seller with few and with very many conversations.
func BenchmarkInbox(b *testing.B) {
	for _, n := range []int{20, 1000, 20_000} {
		b.Run(fmt.Sprint("conversations=", n), func(b *testing.B) {
			s, seller := openAt(b, filepath.Join(b.TempDir(), "chat.db")), chat.NewID()
			fillInbox(b, s, seller, n)
			for b.Loop() {
				entries, err := s.Inbox(b.Context(), seller, chat.InboxCursor{}, 20)
				if err != nil || len(entries) != 20 || entries[0].LastMessage == nil {
					b.Fatal(len(entries), err)
				}
			}
		})
	}
}

func BenchmarkPeers(b *testing.B) {
	for _, n := range []int{20, 20_000} {
		b.Run(fmt.Sprint("conversations=", n), func(b *testing.B) {
			s, seller := openAt(b, filepath.Join(b.TempDir(), "chat.db")), chat.NewID()
			fillInbox(b, s, seller, n)
			for b.Loop() {
				if peers, err := s.Peers(b.Context(), seller, 20); err != nil || len(peers) != 20 {
					b.Fatal(len(peers), err)
				}
			}
		})
	}
}

func BenchmarkMessages(b *testing.B) {
	s := openAt(b, filepath.Join(b.TempDir(), "chat.db"))
	conversation := chat.NewID()
	var list []chat.StoredMessage
	for seq := int64(1); seq <= 5000; seq++ {
		list = append(list, message(conversation, seq, strings.Repeat("hello ", 20)))
	}
	if err := s.PutMessages(b.Context(), list); err != nil {
		b.Fatal(err)
	}
	if err := s.PutHeads(b.Context(), []chat.Head{head(list[4999])}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if page, err := s.MessagesBefore(b.Context(), conversation, 2000, 50); err != nil || len(page) != 50 {
			b.Fatal(len(page), err)
		}
	}
}

func BenchmarkReadSeq(b *testing.B) {
	s := openAt(b, filepath.Join(b.TempDir(), "chat.db"))
	mark := chat.ReadMark{ConversationID: chat.NewID(), UserID: chat.NewID(), Seq: 7}
	if err := s.PutReadMarks(b.Context(), []chat.ReadMark{mark}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if seqs, err := s.ReadSeqs(b.Context(), mark.ConversationID, []chat.ID{mark.UserID}); err != nil || seqs[mark.UserID] != 7 {
			b.Fatal(seqs, err)
		}
	}
}

// fillInbox gives a seller n buyers who each wrote once. One transaction, for the benchmark's own time.
func fillInbox(b *testing.B, s *Store, seller chat.ID, n int) {
	b.Helper()
	ctx := b.Context()
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		b.Fatal(err)
	}
	var messages []chat.StoredMessage
	var heads []chat.Head
	for i := range n {
		c := chat.Conversation{ID: chat.NewID(), Revision: 1, CreatedAt: time.UnixMilli(1), Metadata: []byte(`{"listing": "a bicycle"}`),
			Members: []chat.Member{{UserID: seller, Username: "seller", Role: "seller"}, {UserID: chat.NewID(), Username: "buyer", Role: "buyer"}}}
		if err := insertConversation(ctx, tx, c); err != nil {
			b.Fatal(err)
		}
		m := message(c.ID, 1, "is it still there?")
		m.CreatedAt = time.UnixMilli(int64(i * 7919 % n))
		messages, heads = append(messages, m), append(heads, head(m))
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
	if err := s.PutMessages(ctx, messages); err != nil {
		b.Fatal(err)
	}
	if err := s.PutHeads(ctx, heads); err != nil {
		b.Fatal(err)
	}
}
