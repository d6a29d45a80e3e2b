package gateway

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/relay"
)

// Whatever the typist does next, or has done to them, others see that it ended, at once and once.
func TestTypingIsClearedByWhatComesNext(t *testing.T) {
	for name, next := range map[string]func(*world, chat.ID, *session){
		"stop":       func(w *world, room chat.ID, s *session) { w.must(s, "typing:stop", obj{"conversationId": room}) },
		"leave":      func(w *world, room chat.ID, s *session) { w.must(s, "leave:conversation", obj{"conversationId": room}) },
		"disconnect": func(w *world, _ chat.ID, s *session) { w.disconnected(s) },
		"message":    func(w *world, room chat.ID, s *session) { w.relay(w.put(room, s.user, "x")) },
		"removed": func(w *world, room chat.ID, s *session) {
			c, err := w.store.RemoveMember(context.Background(), room, s.user.ID)
			if err != nil {
				w.t.Fatal(err)
			}
			w.Receive(context.Background(), relay.Envelope{Members: &relay.Members{ConversationID: room, Revision: c.Revision, Removed: s.user.ID}})
		},
		"removed, and the word was lost": func(w *world, room chat.ID, s *session) {
			c, err := w.store.RemoveMember(context.Background(), room, s.user.ID)
			if err != nil {
				w.t.Fatal(err)
			}
			r := w.rooms.get(room)
			r.mu.Lock()
			r.setMembers(membership{c, time.Now()}) // as it is read again by itself
			r.mu.Unlock()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				bea, sam := newUser("Bea"), newUser("Sam")
				room := w.conversation(bea, sam)
				other, beas := w.join(bea, room)
				s, _ := w.join(sam, room)
				w.must(s, "typing:start", obj{"conversationId": room})
				synctest.Wait()
				next(w, room, s)
				synctest.Wait()
				if on, off := len(beas.events("user:typing")), len(beas.events("user:stopped_typing")); on != 1 || off != 1 {
					t.Errorf("shown typing %d times, stopped %d times", on, off)
				}
				time.Sleep(time.Minute)
				if off := len(beas.events("user:stopped_typing")); off != 1 {
					t.Errorf("stopped %d times", off)
				}
				w.disconnected(other)
				w.disconnected(s)
			})
		})
	}
}

// Who is invisible is not seen typing; who hides meanwhile has stopped with the next word.
func TestTypingOfAnInvisibleUserIsNotSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		bea, sam := newUser("Bea"), newUser("Sam")
		room := w.conversation(bea, sam)
		other, beas := w.join(bea, room)
		s, _ := w.join(sam, room)
		seen := func() (on, off int) { return len(beas.events("user:typing")), len(beas.events("user:stopped_typing")) }
		start := func(invisible bool) {
			w.wishes.put(sam.ID, chat.Settings{Invisible: invisible})
			w.must(s, "typing:start", obj{"conversationId": room})
			synctest.Wait()
		}
		start(true)
		if on, off := seen(); on != 0 || off != 0 {
			t.Errorf("while invisible: shown typing %d times, stopped %d times", on, off)
		}
		start(false)
		start(true)
		if on, off := seen(); on != 1 || off != 1 {
			t.Errorf("who hid: shown typing %d times, stopped %d times", on, off)
		}
		w.disconnected(other)
		w.disconnected(s)
	})
}

// However often somebody says so, others hear of it once a second.
func TestTypingIsThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Limits.Typing = Bucket{1e9, 1e9}
		bea, sam := newUser("Bea"), newUser("Sam")
		room := w.conversation(bea, sam)
		other, beas := w.join(bea, room)
		s, _ := w.join(sam, room)
		for range 1000 {
			w.must(s, "typing:start", obj{"conversationId": room})
			time.Sleep(5 * time.Millisecond)
		}
		if n := len(beas.events("user:typing")); n > 5 {
			t.Errorf("told %d times in five seconds", n)
		}
		w.disconnected(other)
		w.disconnected(s)
	})
}

// Nor does it help to stop in between; but who stops and starts again as people do is shown at once.
func TestTypingThatStopsInBetweenIsThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Limits.Typing = Bucket{1e9, 1e9}
		bea, sam := newUser("Bea"), newUser("Sam")
		room := w.conversation(bea, sam)
		other, beas := w.join(bea, room)
		s, _ := w.join(sam, room)
		seen := func() (on, off int) { return len(beas.events("user:typing")), len(beas.events("user:stopped_typing")) }
		turn := func(pause time.Duration) {
			w.must(s, "typing:start", obj{"conversationId": room})
			time.Sleep(pause)
			w.must(s, "typing:stop", obj{"conversationId": room})
			time.Sleep(pause)
		}
		for range 1000 {
			turn(5 * time.Millisecond)
		}
		if on, off := seen(); on < 10 || on > 10+typingBurst || off != on {
			t.Errorf("in ten seconds told %d times, and %d times that it ended", on, off)
		}
		time.Sleep(typingBurst * typingThrottle)
		before, _ := seen()
		for range typingBurst {
			turn(100 * time.Millisecond)
		}
		if on, off := seen(); on != before+typingBurst || off != on {
			t.Errorf("of %d turns told %d, and %d times that it ended", typingBurst, on-before, off-before)
		}
		time.Sleep(typingBurst * typingThrottle)
		s.forgetTyping(chat.NewID())
		if len(s.typing) > 0 {
			t.Errorf("remembered for ever: %v", s.typing)
		}
		w.disconnected(other)
		w.disconnected(s)
	})
}

// hungRelay answers nothing until it is told to, as a Redis that hangs.
type hungRelay struct {
	*world
	hangs atomic.Bool
	mine  sync.Mutex     // world has one of its own
	took  []relay.Typing // guarded by mine
}

func (r *hungRelay) Send(ctx context.Context, envelopes []relay.Addressed) error {
	if r.hangs.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	r.mine.Lock()
	defer r.mine.Unlock()
	for _, e := range envelopes {
		r.took = append(r.took, *e.Envelope.Typing)
	}
	return nil
}

// When Redis is back, nobody is shown typing who typed before, and nothing waits that every timer has ended.
func TestTypingThatWaitedIsNotShownLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Limits.Typing = Bucket{1e9, 1e9}
		r := &hungRelay{world: w}
		r.hangs.Store(true)
		w.Relay = r
		sam := newUser("Sam")
		room := w.conversation(sam)
		s, _ := w.join(sam, room)
		for range 20 {
			w.must(s, "typing:start", obj{"conversationId": room})
			time.Sleep(time.Second)
			w.must(s, "typing:stop", obj{"conversationId": room})
			time.Sleep(time.Second)
		}
		synctest.Wait()
		r.hangs.Store(false)
		time.Sleep(3 * time.Second)
		r.mine.Lock()
		defer r.mine.Unlock()
		if len(r.took) == 0 {
			t.Error("that the last typing has ended was not told")
		}
		for _, told := range r.took {
			if told.Typing {
				t.Errorf("told typing: %v", r.took)
				break
			}
		}
		if len(r.took) > 6 {
			t.Errorf("told %d words of 40 s when Redis was back", len(r.took))
		}
		w.disconnected(s)
	})
}

// A mark is taken for each message of a conversation of one's own, in any order, whether one has joined or not; and for no other.
func TestMarksInAnyOrder(t *testing.T) {
	w := newWorld(t).start()
	bea, sam, eve := newUser("Bea"), newUser("Sam"), newUser("Eve")
	room := w.conversation(bea, sam)
	var ids []chat.ID
	for i := range 5 {
		ids = append(ids, w.put(room, bea, fmt.Sprint(i)).ID)
	}
	joined, _ := w.join(sam, room)
	elsewhere, device := w.connect(sam)
	for i, at := range []int{4, 0, 3, 3, 1} {
		s := joined
		if i%2 == 1 {
			s = elsewhere
		}
		if ack := w.must(s, "mark:read", obj{"messageId": ids[at]}); ack["seq"] != float64(at+1) {
			t.Errorf("acknowledged %v", ack)
		}
	}
	if len(w.receipts) != 5 || w.receipts[1].Seq != 1 || w.receipts[0].SenderID != bea.ID || w.receipts[0].UserID != sam.ID {
		t.Errorf("published %+v", w.receipts)
	}
	stranger, _ := w.connect(eve)
	for _, message := range []chat.ID{ids[0], chat.NewID()} {
		if ack := w.do(stranger, "mark:read", obj{"messageId": message}); ack["code"] != "not_found" {
			t.Errorf("of a stranger: %v", ack)
		}
	}
	if _, err := w.store.RemoveMember(t.Context(), room, sam.ID); err != nil {
		t.Fatal(err)
	}
	if ack := w.do(elsewhere, "mark:read", obj{"messageId": ids[0]}); ack["code"] != "not_found" {
		t.Errorf("of one who was removed: %v", ack)
	}
	if len(w.receipts) != 5 {
		t.Errorf("%d published", len(w.receipts))
	}
	// The sender and the reader's other device hear of each, the device that marked does not.
	for _, r := range w.receipts {
		w.Receive(t.Context(), relay.Envelope{Read: &relay.Read{
			MessageID: r.MessageID, ConversationID: room, Seq: r.Seq, ReadBy: sam.ID, At: r.At, To: []chat.ID{sam.ID}}})
	}
	if n := len(device.events("message:read")); n != 3 {
		t.Errorf("the other device heard of %d marks, want the three that it did not make", n)
	}
}
