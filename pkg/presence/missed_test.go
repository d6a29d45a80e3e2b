package presence

import (
	"testing"

	"github.com/dozaar/dozaar/pkg/chat"
)

// missed says what a gateway was told last, and answers of how many nothing can be said.
func (w *world) missed(told ...chat.PresenceChange) int {
	w.t.Helper()
	var unknown []chat.PresenceChange
	w.insist(func() (err error) {
		unknown, err = w.directory().Missed(w.t.Context(), told)
		return err
	})
	return len(unknown)
}

func TestWhoWasShownOnlineIsTakenOfflineThoughRedisAndTheirGatewayForgot(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		user := chat.NewID()
		online := w.connect(w.gateway("dies"), user)
		delete(w.gateways, "dies")
		w.must(w.client.FlushAll(t.Context()).Err())
		w.step()
		if w.missed(*online) != 1 {
			t.Fatal("something was said while leases may still be written again")
		}
		w.pass(w.settle() + w.unit())
		w.wantTold()
		for range 3 { // three gateways with somebody who saw the user
			if w.missed(*online) != 0 {
				t.Fatal("nothing is said")
			}
		}
		w.pass(2 * w.unit())
		told := w.wantTold("offline")
		if told[0].Version <= online.Version {
			t.Errorf("version %d after %d: receivers drop it", told[0].Version, online.Version)
		}
	})
}

func TestAChangeThatDidNotArriveIsAnnouncedAgain(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		g, user := w.gateway("g"), chat.NewID()
		online := w.connect(g, user)
		w.missed(*online)
		w.pass(2 * w.unit())
		w.wantTold()
		w.must(g.Disconnect(t.Context(), user))
		w.missed(*online) // within the grace they are online
		w.pass(w.grace() + 2*w.unit())
		offline := w.wantTold("offline")[0]
		for who, want := range map[chat.ID]int64{user: offline.Version, chat.NewID(): 0} {
			if newest, err := w.directory().Newest(t.Context(), who); err != nil || newest != want {
				t.Errorf("the last change is %d, %v, want %d", newest, err, want)
			}
		}
		w.missed(offline)
		w.pass(2 * w.unit())
		w.wantTold()
		w.missed(*online)
		w.pass(2 * w.unit())
		if again := w.wantTold("offline")[0]; again.Version != offline.Version {
			t.Errorf("version %d, the change had %d: who has heard of it hears it twice", again.Version, offline.Version)
		}
	})
}

func TestAnOlderStateThanWasToldIsNoNews(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		g, user := w.gateway("g"), chat.NewID()
		before := w.connect(g, user)
		newer := chat.PresenceChange{UserID: user, Online: false, Version: before.Version + 1_000_000} // of a master that is gone
		w.missed(newer)
		w.pass(2 * w.unit())
		if again := w.wantTold("online")[0]; again.Version <= newer.Version {
			t.Errorf("version %d after %d: receivers drop it", again.Version, newer.Version)
		}
	})
}

func TestWhoIsInvisibleIsNotMissed(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		g, user := w.gateway("g"), chat.NewID()
		seen := w.connect(g, user)
		changes, err := g.Connect(t.Context(), chat.Arrival{UserID: user, Visibility: chat.Invisible})
		w.must(err)
		w.must(w.directory().Told(t.Context(), changes[0]))
		w.missed(changes[0])
		w.pass(2 * w.unit())
		w.wantTold()
		w.missed(*seen)
		w.pass(2 * w.unit())
		w.wantTold("offline")
	})
}
