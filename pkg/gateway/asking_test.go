package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/relay"
)

// Whoever asks hears of changes for five minutes, once each, also where they share a conversation; and Redis is told of
// the question at most once a minute.
func TestWhoeverAsksHearsOfChangesForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		bea, sam, other := newUser("Bea"), newUser("Sam"), newUser("Other")
		w.online = map[chat.ID]bool{}
		s, c := w.connect(bea)
		_, silent := w.connect(other)
		version := int64(0)
		change := func(to ...chat.ID) {
			version++
			w.Receive(t.Context(), relay.Envelope{Presence: &relay.Presence{
				Change: chat.PresenceChange{UserID: sam.ID, Online: true, Version: version, At: time.Now()}, To: to, Asked: true}})
		}
		heard := func() int { return len(c.events("user:online")) }
		change()
		if heard() != 0 {
			t.Error("told without having asked")
		}
		for range 3 {
			w.must(s, "get:online_status", obj{"userIds": []string{sam.ID.String(), bea.ID.String()}})
		}
		if len(w.questions) != 1 || !slices.Equal(w.questions[0], []chat.ID{sam.ID}) {
			t.Errorf("Redis was told of %v", w.questions)
		}
		change()
		change(bea.ID)
		if heard() != 2 {
			t.Errorf("told %d times of two changes", heard())
		}
		time.Sleep(askAgain)
		w.must(s, "get:online_status", obj{"userIds": []string{sam.ID.String()}})
		if len(w.questions) != 2 {
			t.Errorf("Redis was told %d times", len(w.questions))
		}
		time.Sleep(askedFor - time.Second)
		change()
		if heard() != 3 {
			t.Error("not told within five minutes")
		}
		time.Sleep(time.Second)
		change()
		if heard() != 3 {
			t.Error("told after five minutes")
		}
		if n := len(silent.events("user:online")); n != 0 {
			t.Errorf("%d changes were told to somebody who asked nothing", n)
		}
		w.disconnected(s)
	})
}

// Whom one may not see is answered as who does not exist, and no change of theirs is told.
func TestAskingAboutAStrangerTellsNothing(t *testing.T) {
	w := newWorld(t).start()
	s, c := w.connect(newUser("Eve"))
	sam, nobody := chat.NewID(), chat.NewID()
	w.online, w.unseen = map[chat.ID]bool{sam: true}, []chat.ID{sam, nobody}
	ack := w.must(s, "get:online_status", obj{"userIds": []string{sam.String(), nobody.String()}})
	statuses := ack["statuses"].(map[string]any)
	if a, b := fmt.Sprint(statuses[sam.String()]), fmt.Sprint(statuses[nobody.String()]); a != b || !strings.Contains(a, "false") {
		t.Errorf("a stranger is %s, nobody %s", a, b)
	}
	w.Receive(t.Context(), relay.Envelope{Presence: &relay.Presence{
		Change: chat.PresenceChange{UserID: sam, Version: 1, At: time.Now()}, Asked: true}})
	if len(w.questions) != 0 || len(c.events("user:offline")) != 0 {
		t.Errorf("Redis was told of %v, the socket %s", w.questions, c.events("user:offline"))
	}
}

// Who has asked, and then shares no conversation any more with the one asked about, hears no more of them, whoever of the two was
// removed.
func TestWhoPartsWaysHearsNoMore(t *testing.T) {
	for _, askersOwn := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			bea, sam, pat := newUser("Bea"), chat.NewID(), chat.NewID()
			w.online = map[chat.ID]bool{}
			s, c := w.connect(bea)
			w.must(s, "get:online_status", obj{"userIds": []chat.ID{sam, pat}})
			w.unseen = []chat.ID{sam} // of two conversations with Sam and with Pat one is left
			removed := sam
			if askersOwn {
				removed = bea.ID
			}
			w.Receive(t.Context(), relay.Envelope{Members: &relay.Members{ConversationID: chat.NewID(), Revision: 2, Removed: removed}})
			synctest.Wait()
			for _, user := range []chat.ID{sam, pat} {
				w.Receive(t.Context(), relay.Envelope{Presence: &relay.Presence{
					Change: chat.PresenceChange{UserID: user, Online: true, Version: 1, At: time.Now()}, Asked: true}})
			}
			if heard := c.events("user:online"); len(heard) != 1 || !strings.Contains(string(heard[0]), pat.String()) {
				t.Errorf("heard %s; parted from %s, not from %s", heard, sam, pat)
			}
			w.disconnected(s)
		})
	}
}

// Ten thousand ids are refused, and what is remembered of many small questions is bounded; of a socket that is gone nothing is.
func TestQuestionsAreCapped(t *testing.T) {
	w := newWorld(t).start()
	w.online = map[chat.ID]bool{}
	w.Limits.Status = Bucket{1e9, 1e9}
	s, _ := w.connect(newUser("Eve"))
	ids := func(n int) []string {
		list := make([]string, n)
		for i := range list {
			list[i] = chat.NewID().String()
		}
		return list
	}
	for _, n := range []int{maxStatuses + 1, 10_000} {
		if ack := w.do(s, "get:online_status", obj{"userIds": ids(n)}); ack["code"] != "invalid" || ack["field"] != "userIds" {
			t.Errorf("%d ids: %v", n, ack)
		}
	}
	for range 20 {
		w.must(s, "get:online_status", obj{"userIds": ids(maxStatuses)})
	}
	if n := w.asking.asked.Len(); n != askedBySocket || len(s.asked) != n || len(w.asking.byUser) != n {
		t.Errorf("%d questions are remembered, %d, about %d users", n, len(s.asked), len(w.asking.byUser))
	}
	w.disconnected(s)
	if n := w.asking.asked.Len() + len(w.asking.byUser) + len(s.asked); n != 0 {
		t.Errorf("%d questions of a socket that is gone", n)
	}
}
