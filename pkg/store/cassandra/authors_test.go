package cassandra

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// The parts are all tokens, each once.
func TestFillTokens(t *testing.T) {
	next := int64(math.MinInt64) // which is no token
	for part := range fillParts {
		from, to := fillTokens(part)
		if from != next || to <= from {
			t.Fatalf("part %d is (%d, %d]; want it to begin at %d", part, from, to, next)
		}
		next = to
	}
	if next != math.MaxInt64 {
		t.Errorf("the last part ends at %d", next)
	}
}

// What a release without authors has stored is found once they are filled, however often that is ended in between.
func TestFillAuthors(t *testing.T) {
	cfg := migrated(t)
	s := open(t, cfg)
	if known, err := s.AuthorsKnown(t.Context()); err != nil || !known {
		t.Errorf("in new tables everybody is known: %t, %v", known, err)
	}
	ann, bob := chat.NewID(), chat.NewID()
	want := map[chat.ID][]int64{}
	for range 20 {
		conversation := chat.NewID()
		var all []chat.StoredMessage
		for seq := int64(999); seq < 1003; seq++ { // two buckets
			m := chat.Draft{Text: "secret"}.New(conversation, chat.User{ID: []chat.ID{ann, bob}[seq%2], Username: "A"}, time.Now())
			m.Seq = seq
			all = append(all, chat.StoredMessage{Message: m, Position: chat.Position{Offset: seq}})
		}
		if err := s.PutMessages(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		want[conversation] = []int64{1000, 1002}
	}
	exec(t, cfg, "TRUNCATE "+cfg.Keyspace+".authors", "TRUNCATE "+cfg.Keyspace+".fills")
	erased := func() map[chat.ID][]int64 {
		got := map[chat.ID][]int64{}
		if err := s.Erase(t.Context(), ann, time.Now().Add(time.Hour), func(p chat.ErasedPart) error {
			got[p.ConversationID] = append(got[p.ConversationID], p.Seqs...)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := erased(); len(got) > 0 {
		t.Fatalf("without authors %d conversations are found", len(got))
	}
	for share := 0.0; ; { // ended at a third, and again
		if known, err := s.AuthorsKnown(t.Context()); err != nil || known {
			t.Fatalf("at %.2f everybody is known: %t, %v", share, known, err)
		}
		ctx, end := context.WithCancel(t.Context())
		from := share
		err := s.FillAuthors(ctx, func(now float64) {
			if now <= share {
				t.Errorf("%.3f after %.3f", now, share)
			}
			if share = now; now > from+0.34 {
				end()
			}
		})
		end()
		if err == nil {
			break
		}
		if !errors.Is(err, chat.ErrUnavailable) && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if known, err := s.AuthorsKnown(t.Context()); err != nil || !known {
		t.Errorf("at last everybody is known: %t, %v", known, err)
	}
	got := erased()
	for conversation, seqs := range want {
		slices.Sort(got[conversation])
		if !slices.Equal(got[conversation], seqs) {
			t.Errorf("erased %v; want %v", got[conversation], seqs)
		}
	}
	told := 0
	if err := s.FillAuthors(t.Context(), func(float64) { told++ }); err != nil || told != fillParts {
		t.Errorf("once more: %d parts, %v", told, err)
	}
}
