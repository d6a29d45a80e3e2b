package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/dozaar/dozaar/pkg/chat"
)

// Of writes that share a transaction each is done wholly or not at all, whatever becomes of the others.
func TestGatheredWritesAreEachTheirOwn(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "chat.db"))
	ctx, conversation, wrong := t.Context(), chat.NewID(), errors.New("wrong")
	s.gather.turn <- struct{}{} // somebody writes; the others come to wait
	var all sync.WaitGroup
	errs := make([]error, 9)
	for i := range errs {
		all.Go(func() {
			errs[i] = s.gathered(ctx, "test", func(ctx context.Context, tx *sql.Tx) error {
				list := []chat.StoredMessage{message(conversation, int64(i+1), "x")}
				if err := insert(ctx, tx, list, putMessage, messageValues); err != nil || i%3 != 0 {
					return err
				}
				return wrong
			})
		})
	}
	gone, cancel := context.WithCancel(ctx)
	all.Go(func() {
		if err := s.PutMessages(gone, []chat.StoredMessage{message(conversation, 99, "x")}); !errors.Is(err, context.Canceled) {
			t.Errorf("who gives up waiting gets %v", err)
		}
	})
	waitFor(s, len(errs)+1)
	cancel()
	waitFor(s, len(errs))
	s.gather.write(ctx, s.writer)
	<-s.gather.turn
	all.Wait()
	if err := s.PutHeads(ctx, []chat.Head{{ConversationID: conversation, Seq: 100}}); err != nil {
		t.Fatal(err)
	}
	list, err := s.Messages(ctx, conversation, 0, 100)
	if err != nil || len(list) != 6 {
		t.Fatalf("%d messages, %v; want those of the six that were right", len(list), err)
	}
	for i, err := range errs {
		if (i%3 == 0) != errors.Is(err, wrong) || i%3 != 0 && err != nil {
			t.Errorf("write %d: %v", i, err)
		}
	}
}

// waitFor returns when so many wait.
func waitFor(s *Store, n int) {
	for waiting := -1; waiting != n; {
		s.gather.mu.Lock()
		waiting = len(s.gather.waiting)
		s.gather.mu.Unlock()
	}
}

// BenchmarkBesideEachOther stores one message a call, from many callers at once, as deliver's conversations do.
func BenchmarkBesideEachOther(b *testing.B) {
	for _, callers := range []int{1, 10, 100} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			s := openAt(b, filepath.Join(b.TempDir(), "chat.db"))
			b.SetParallelism(callers)
			b.RunParallel(func(pb *testing.PB) {
				conversation, seq := chat.NewID(), int64(0)
				for pb.Next() {
					seq++
					if err := s.PutMessages(b.Context(), []chat.StoredMessage{message(conversation, seq, "hello")}); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
