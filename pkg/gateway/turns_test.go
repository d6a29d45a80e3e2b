package gateway

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dozaar/dozaar/pkg/auth"
	"github.com/dozaar/dozaar/pkg/chat"
	"golang.org/x/sync/semaphore"
)

// slowStore takes its time, and counts who is with it.
type slowStore struct {
	Store
	takes        time.Duration
	inside, most atomic.Int64
}

func (s *slowStore) wait() func() {
	now := s.inside.Add(1)
	for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
	}
	time.Sleep(s.takes)
	return func() { s.inside.Add(-1) }
}

func (s *slowStore) Conversation(ctx context.Context, id chat.ID) (chat.Conversation, error) {
	defer s.wait()()
	return s.Store.Conversation(ctx, id)
}

func (s *slowStore) Messages(ctx context.Context, id chat.ID, after int64, limit int) ([]chat.Message, error) {
	defer s.wait()()
	return s.Store.Messages(ctx, id, after, limit)
}

// stuckConn takes nothing until its context ends.
type stuckConn struct{ *fakeConn }

func (stuckConn) Drain(ctx context.Context, _ int) error {
	<-ctx.Done()
	return ctx.Err()
}

// Everybody joins at once: few of them ask the store at a time, all get in, and one whose client takes nothing holds up
// nobody.
func TestJoinsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		store := &slowStore{Store: w.store, takes: 100 * time.Millisecond}
		w.Gateway.Store = store
		w.turns = semaphore.NewWeighted(2)
		bea := newUser("Bea")
		room := w.conversation(bea)
		w.put(room, bea, "missed")

		stuck := w.newSession(auth.Identity{User: bea, ExpiresAt: time.Now().Add(time.Hour)})
		w.connected(stuck, stuckConn{&fakeConn{}})
		ctx, hangUp := context.WithCancel(t.Context())
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			w.event(ctx, stuck, "join:conversation", []byte(`{"conversationId":"`+room.String()+`","afterSeq":0}`), func(...any) {})
		}()
		synctest.Wait()

		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				s, conn := w.connect(bea)
				defer w.disconnected(s)
				w.must(s, "join:conversation", obj{"conversationId": room, "afterSeq": 0})
				if got := conn.seqs(); len(got) != 1 {
					t.Errorf("it was shown %v; want one message", got)
				}
			})
		}
		all.Wait()
		hangUp()
		<-gone
		w.disconnected(stuck)
		if most := store.most.Load(); most != 2 {
			t.Errorf("%d asked the store at once; want 2", most)
		}
	})
}

// Who waited long enough is told to come again, rather than left to think that nobody is there.
func TestAJoinDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.turns = semaphore.NewWeighted(1)
		bea := newUser("Bea")
		room := w.conversation(bea)
		s, _ := w.connect(bea)
		defer w.disconnected(s)
		if !w.turns.TryAcquire(1) {
			t.Fatal("there is no turn")
		}
		began := time.Now()
		if ack := w.do(s, "join:conversation", obj{"conversationId": room}); ack["code"] != "unavailable" || time.Since(began) != turnPatience {
			t.Errorf("%v after %s", ack, time.Since(began))
		}
		w.turns.Release(1)
		w.must(s, "join:conversation", obj{"conversationId": room})
	})
}
