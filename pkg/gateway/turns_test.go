package gateway

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/dozaar/dozaar/pkg/auth"
	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/relay"
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

// countingStore counts how often members are read.
type countingStore struct {
	Store
	reads atomic.Int64
}

func (s *countingStore) Conversation(ctx context.Context, id chat.ID) (chat.Conversation, error) {
	s.reads.Add(1)
	return s.Store.Conversation(ctx, id)
}

// A hundred join one room: its members are read when it opens, and again when what is known of them is old. Who is not known to
// be one is looked for each time.
func TestJoiningABigRoomDoesNotReadItsMembersEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		store := &countingStore{Store: w.store}
		w.Gateway.Store = store
		var members []chat.User
		for range 100 {
			members = append(members, newUser("one of many"))
		}
		room := w.conversation(members...)
		join := func() (reads int64) {
			before := store.reads.Load()
			for _, u := range members {
				s, _ := w.join(u, room)
				defer w.disconnected(s)
			}
			return store.reads.Load() - before
		}
		if reads := join(); reads > 3 {
			t.Errorf("the members were read %d times as the room was new", reads)
		}
		time.Sleep(membersMaxAge + time.Second)
		if reads := join(); reads != 1 {
			t.Errorf("the members were read %d times as they were old; want once", reads)
		}
		out := newUser("none of them")
		s, _ := w.connect(out)
		defer w.disconnected(s)
		if ack := w.do(s, "join:conversation", obj{"conversationId": room}); ack["code"] != "not_found" {
			t.Errorf("who is no member was answered %v", ack)
		}
		if _, err := w.store.PutMember(t.Context(), room, chat.Member{UserID: out.ID, Username: out.Username}); err != nil {
			t.Fatal(err)
		}
		w.must(s, "join:conversation", obj{"conversationId": room}) // nobody has told the room
		if _, err := w.store.RemoveMember(t.Context(), room, members[0].ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(membersMaxAge)
		gone, _ := w.connect(members[0])
		defer w.disconnected(gone)
		if ack := w.do(gone, "join:conversation", obj{"conversationId": room}); ack["code"] != "not_found" {
			t.Errorf("who was removed five seconds ago was answered %v", ack)
		}
	})
}

// Everybody joins at once: few of them ask the store at a time, all get in, and one whose client takes nothing holds up
// nobody.
func TestJoinsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		store := &slowStore{Store: w.store, takes: 100 * time.Millisecond}
		w.Gateway.Store = store
		w.turns = newTurns(2)
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
		w.turns = newTurns(1)
		bea := newUser("Bea")
		room := w.conversation(bea)
		s, _ := w.connect(bea)
		defer w.disconnected(s)
		if !w.turns.atOnce.TryAcquire(1) {
			t.Fatal("there is no turn")
		}
		began := time.Now()
		if ack := w.do(s, "join:conversation", obj{"conversationId": room}); ack["code"] != "unavailable" || time.Since(began) != turnPatience {
			t.Errorf("%v after %s", ack, time.Since(began))
		}
		w.turns.atOnce.Release(1)
		w.must(s, "join:conversation", obj{"conversationId": room})
	})
}

// drainConn does something each time before a message is replayed.
type drainConn struct {
	*fakeConn
	drained func()
}

func (c drainConn) Drain(context.Context, int) error {
	c.drained()
	return nil
}

// Who is removed while missed messages are replayed to them is shown no more of those.
func TestReplayEndsWithMembership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		bea, sam := newUser("Bea"), newUser("Sam")
		room := w.conversation(bea, sam)
		for range 5 {
			w.put(room, bea, "missed")
		}
		s := w.newSession(auth.Identity{User: sam, ExpiresAt: time.Now().Add(time.Hour)})
		conn := drainConn{fakeConn: &fakeConn{}}
		times := 0
		conn.drained = func() {
			if times++; times != 3 {
				return
			}
			c, err := w.store.RemoveMember(t.Context(), room, sam.ID)
			if err != nil {
				t.Error(err)
			}
			w.Receive(t.Context(), relay.Envelope{Members: &relay.Members{ConversationID: room, Revision: c.Revision, Removed: sam.ID}})
		}
		w.connected(s, conn)
		defer w.disconnected(s)
		again := obj{"conversationId": room, "afterSeq": 0}
		if ack := w.do(s, "join:conversation", again); ack["ok"] == true {
			t.Errorf("answered %v", ack)
		}
		if ack := w.do(s, "join:conversation", again); ack["code"] != "not_found" {
			t.Errorf("answered %v", ack)
		}
		if got := conn.seqs(); len(got) != 2 {
			t.Errorf("shown %v; want the two from before the removal", got)
		}
	})
}

// interruptedStore has something happen before each answer about read marks.
type interruptedStore struct {
	Store
	before func()
}

func (s *interruptedStore) ReadSeqs(ctx context.Context, id chat.ID, users []chat.ID) (map[chat.ID]int64, error) {
	s.before()
	return s.Store.ReadSeqs(ctx, id, users)
}

// TestJoinEndsWithMembership removes a member while their join asks the store.
func TestJoinEndsWithMembership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		bea, sam := newUser("Bea"), newUser("Sam")
		room := w.conversation(bea, sam)
		w.Store = &interruptedStore{w.Store, func() {
			c, err := w.store.RemoveMember(t.Context(), room, sam.ID)
			if err != nil {
				t.Error(err)
			}
			w.Receive(t.Context(), relay.Envelope{Members: &relay.Members{ConversationID: room, Revision: c.Revision, Removed: sam.ID}})
			synctest.Wait()
		}}
		s := w.newSession(auth.Identity{User: sam, ExpiresAt: time.Now().Add(time.Hour)})
		w.connected(s, &fakeConn{})
		defer w.disconnected(s)
		if ack := w.do(s, "join:conversation", obj{"conversationId": room}); ack["code"] != "not_found" {
			t.Errorf("answered %v", ack)
		}
	})
}

// busyStore answers one question after the other, as one does that has no more to give.
type busyStore struct {
	Store
	one   chan struct{}
	takes time.Duration
}

func (s *busyStore) ask() {
	s.one <- struct{}{}
	time.Sleep(s.takes)
	<-s.one
}

func (s *busyStore) Conversation(ctx context.Context, id chat.ID) (chat.Conversation, error) {
	s.ask()
	return s.Store.Conversation(ctx, id)
}

func (s *busyStore) ReadSeqs(ctx context.Context, id chat.ID, users []chat.ID) (map[chat.ID]int64, error) {
	s.ask()
	return s.Store.ReadSeqs(ctx, id, users)
}

func (s *busyStore) Heads(ctx context.Context, ids []chat.ID) (map[chat.ID]chat.Head, error) {
	s.ask()
	return s.Store.Heads(ctx, ids)
}

// stampede has so many join at once, each a conversation of its own, and answers how long others who ask the store wait meanwhile.
func (w *world) stampede(store *busyStore, joins int) (mean time.Duration) {
	bea := newUser("Bea")
	var all sync.WaitGroup
	for range joins {
		all.Go(func() { w.comeAndGo(bea, w.conversation(bea)) })
	}
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()
	var waited time.Duration
	asked := 0
	for joining := true; joining; {
		began := time.Now()
		store.ask()
		waited += time.Since(began)
		asked++
		select {
		case <-done:
			joining = false
		case <-time.After(10 * time.Millisecond):
		}
	}
	if asked < 100 {
		w.t.Errorf("others asked %d times", asked)
	}
	return waited / time.Duration(asked)
}

func (w *world) comeAndGo(u chat.User, room chat.ID) (ack map[string]any) {
	s, _ := w.connect(u)
	defer w.disconnected(s)
	return w.do(s, "join:conversation", obj{"conversationId": room})
}

// Everybody joins at once: others who ask the store wait little longer than when it is quiet, though sixteen joins at a time would
// have each of them wait for sixteen answers; also where the gateway has just started. When all is over the pace is what it was.
func TestJoinsLeaveRoomForOthers(t *testing.T) {
	for name, before := range map[string]int{"a gateway that knows the store": paceSamples, "one that has just started": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				store := &busyStore{Store: w.store, one: make(chan struct{}, 1), takes: time.Millisecond}
				w.Gateway.Store = store
				bea := newUser("Bea")
				for range before {
					w.comeAndGo(bea, w.conversation(bea))
				}
				if mean := w.stampede(store, 1000); mean > 4*store.takes {
					t.Errorf("others waited for %s on average; want at most %s", mean, 4*store.takes)
				}
				for range 1000 {
					time.Sleep(paceLook)
					w.comeAndGo(bea, w.conversation(bea))
				}
				if pace := w.turns.pace.Limit(); pace < paceMost {
					t.Errorf("a hundred seconds later the pace is %v a second", pace)
				}
			})
		})
	}
}

// refusingStore refuses at once to say who has read what, while it is away; else it takes some milliseconds.
type refusingStore struct {
	Store
	away atomic.Bool
}

func (s *refusingStore) ReadSeqs(ctx context.Context, id chat.ID, users []chat.ID) (map[chat.ID]int64, error) {
	if s.away.Load() {
		return nil, chat.ErrUnavailable
	}
	time.Sleep(5 * time.Millisecond)
	return s.Store.ReadSeqs(ctx, id, users)
}

// A store that was away refuses faster than it answers. When it is back it is as fast as ever, and everybody wants in.
func TestRefusalsDoNotPassForAQuietStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		store := &refusingStore{Store: w.store}
		w.Gateway.Store = store
		bea := newUser("Bea")
		room := w.conversation(bea)
		for _, away := range []bool{true, false, true, false} {
			store.away.Store(away)
			for range 1000 {
				time.Sleep(paceLook)
				if ack := w.comeAndGo(bea, room); ack["ok"] == away {
					t.Fatalf("away %t, answered %v", away, ack)
				}
			}
			if pace := w.turns.pace.Limit(); !away && pace < paceMost {
				t.Errorf("a hundred seconds after the store came back the pace is %v a second", pace)
			}
		}
	})
}

// Who leaves while waiting for a turn is no failure of ours, and leaves the turn to others.
func TestLeavingWhileWaitingForATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.turns = newTurns(1)
		bea := newUser("Bea")
		room := w.conversation(bea)
		if !w.turns.atOnce.TryAcquire(1) {
			t.Fatal("there is no turn")
		}
		ctx, leave := context.WithCancel(t.Context())
		s, _ := w.connect(bea)
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			w.event(ctx, s, "join:conversation", []byte(`{"conversationId":"`+room.String()+`"}`), func(...any) {})
		}()
		synctest.Wait()
		leave()
		<-gone
		w.disconnected(s)
		for code, want := range map[string]float64{"cancelled": 1, string(chat.CodeUnavailable): 0} {
			if n := testutil.ToFloat64(w.metrics.events.WithLabelValues("join:conversation", code)); n != want {
				t.Errorf("%s: %v; want %v", code, n, want)
			}
		}
		w.turns.atOnce.Release(1)
		if ack := w.comeAndGo(bea, room); ack["ok"] != true {
			t.Errorf("somebody else was answered %v", ack)
		}
	})
}

// Who is removed during a long replay, while no word of it comes, is not shown what is written more than five seconds later.
func TestALongReplayNoticesARemoval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		bea, sam := newUser("Bea"), newUser("Sam")
		room := w.conversation(bea, sam)
		for range replayPage + 1 {
			w.put(room, bea, "missed")
		}
		s := w.newSession(auth.Identity{User: sam, ExpiresAt: time.Now().Add(time.Hour)})
		conn := drainConn{fakeConn: &fakeConn{}}
		times := 0
		conn.drained = func() {
			if times++; times == 2 {
				if _, err := w.store.RemoveMember(t.Context(), room, sam.ID); err != nil {
					t.Error(err)
				}
				time.Sleep(membersMaxAge + time.Second)
				w.put(room, bea, "not for Sam")
			}
		}
		w.connected(s, conn)
		defer w.disconnected(s)
		if ack := w.do(s, "join:conversation", obj{"conversationId": room, "afterSeq": 0}); ack["code"] != "not_found" {
			t.Errorf("answered %v", ack)
		}
		if n := len(conn.seqs()); n > replayPage {
			t.Errorf("shown %d messages, of which only %d were read before the removal", n, replayPage)
		}
	})
}

// An embedded store that takes three times as long as when it is quiet is still faster than anything that anybody waits for.
func TestAFastStoreIsNotTakenForASlowOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(16)
		for _, takes := range []time.Duration{50 * time.Microsecond, 150 * time.Microsecond} {
			for range 1000 {
				time.Sleep(paceLook)
				turns.answered(takes, nil)
			}
			if pace := turns.pace.Limit(); pace < paceMost {
				t.Errorf("answers take %s, the pace is %v a second", takes, pace)
			}
		}
	})
}
