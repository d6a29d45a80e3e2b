package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// checkReadersBesideWriters: while messages are stored and then the head, as deliver does it, a reader sees
// 1, 2, 3 … without a gap, never fewer than before, and an inbox that agrees with itself.
func checkReadersBesideWriters(t *testing.T, s Store) {
	const rounds, batch = 30, 7
	user := chat.NewID()
	c := newConversation(t, s, dawn(), user)
	writing, stop := context.WithCancel(t.Context())
	defer stop()
	var all sync.WaitGroup
	all.Go(func() {
		defer stop()
		for round := range int64(rounds) {
			var list []chat.StoredMessage
			for i := range int64(batch) {
				list = append(list, text(c.ID, round*batch+i+1, "x"))
			}
			if err := s.PutMessages(t.Context(), list); err != nil {
				t.Error(err)
				return
			}
			if err := s.PutHeads(t.Context(), []chat.Head{headOf(list[batch-1])}); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 3 {
		all.Go(func() {
			var seen int64
			for writing.Err() == nil {
				list, err := s.Messages(t.Context(), c.ID, 0, rounds*batch)
				if err != nil {
					t.Error(err)
					return
				}
				for i, m := range list {
					if m.Seq != int64(i+1) {
						t.Errorf("message %d stands at %d", m.Seq, i+1)
						return
					}
				}
				if int64(len(list)) < seen {
					t.Errorf("%d messages after %d", len(list), seen)
				}
				seen = int64(len(list))
			}
		})
	}
	all.Go(func() {
		for writing.Err() == nil {
			entries, err := s.Inbox(t.Context(), user, chat.InboxCursor{}, 10)
			if err != nil {
				t.Error(err)
				return
			}
			for _, e := range entries {
				if e.LastSeq > 0 && (e.LastMessage == nil || e.LastMessage.Seq != e.LastSeq || !e.LastMessage.CreatedAt.Equal(e.ActivityAt)) {
					t.Errorf("an inbox that contradicts itself: %+v with %+v", e, e.LastMessage)
				}
			}
		}
	})
	all.Wait()
	equal(t, "in the end", len(get[[]chat.Message](t)(s.Messages(t.Context(), c.ID, 0, rounds*batch+1))), rounds*batch)
}

// checkWritersAtOnce: two delivers that own one conversation for a moment, each storing the whole log at its
// own pace, leave what one would have left.
func checkWritersAtOnce(t *testing.T, s Store) {
	const writers, n = 4, 60
	c, user := chat.NewID(), chat.NewID()
	var log []chat.StoredMessage
	for seq := int64(1); seq <= n; seq++ {
		log = append(log, text(c, seq, fmt.Sprint("message ", seq)))
	}
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for from := 0; from < n; from += w + 3 {
				batch := log[from:min(from+w+3, n)]
				newest := batch[len(batch)-1]
				for _, err := range []error{
					s.PutMessages(t.Context(), batch),
					s.PutHeads(t.Context(), []chat.Head{headOf(newest)}),
					s.PutReadMarks(t.Context(), []chat.ReadMark{{ConversationID: c, UserID: user, Seq: newest.Seq}}),
				} {
					if err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	head := headOf(log[n-1])
	head.ActivityAt = head.ActivityAt.UTC().Truncate(time.Millisecond)
	equal(t, "messages", get[[]chat.Message](t)(s.Messages(t.Context(), c, 0, n+1)), normals(log))
	equal(t, "head", get[map[chat.ID]chat.Head](t)(s.Heads(t.Context(), []chat.ID{c})), map[chat.ID]chat.Head{c: head})
	equal(t, "mark", get[map[chat.ID]int64](t)(s.ReadSeqs(t.Context(), c, []chat.ID{user})), map[chat.ID]int64{user: int64(n)})
}
