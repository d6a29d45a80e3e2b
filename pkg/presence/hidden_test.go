package presence

import (
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// as connects a user, or changes their visibility, and confirms what is to be announced.
func (w *world) as(g *Leases, user chat.ID, v chat.Visibility) []chat.PresenceChange {
	w.t.Helper()
	changes, err := g.Connect(w.t.Context(), chat.Arrival{UserID: user, Visibility: v})
	w.must(err)
	for _, c := range changes {
		w.must(w.directory().Told(w.t.Context(), c))
	}
	return changes
}

// Whoever is invisible is to others as they were before they hid: no announcement, no status and no time tells.
func TestAnInvisibleUserIsOfflineToOthersAndReachable(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		a, b, user := w.gateway("a"), w.gateway("b"), chat.NewID()
		if changes := w.as(a, user, chat.Invisible); len(changes) != 0 {
			t.Fatalf("an invisible user's arrival changed %+v", changes)
		}
		if got := w.owners(user); len(got) != 1 {
			t.Fatalf("owners %v", got)
		}
		w.as(b, user, chat.VisibleAsBefore) // a gateway that could not read the settings
		w.wantStatus(user, "offline")
		w.pass(w.ttl + w.unit()) // renewals show nobody
		w.wantStatus(user, "offline")
		w.must(a.Disconnect(t.Context(), user))
		w.must(b.Disconnect(t.Context(), user))
		w.pass(2 * w.grace())
		w.wantTold()
		s, err := w.directory().Statuses(t.Context(), []chat.ID{user}, nil)
		w.must(err)
		if !s[user].LastSeen.IsZero() {
			t.Errorf("last seen %v, though never seen", s[user].LastSeen)
		}
		delete(w.gateways, "b")
	})
}

func TestHidingAndShowingIsTold(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		a, b, user := w.gateway("a"), w.gateway("b"), chat.NewID()
		w.as(a, user, chat.Visible)
		w.as(b, user, chat.Visible)
		if got := w.as(a, user, chat.Invisible); len(got) != 1 || got[0].Online {
			t.Fatalf("hiding: %+v", got)
		}
		if got := w.as(b, user, chat.Invisible); len(got) != 0 {
			t.Fatalf("hiding at another gateway, too: %+v", got)
		}
		w.pass(w.ttl + w.unit())
		w.wantStatus(user, "offline")
		delete(w.gateways, "b") // dies: the user is at a
		w.pass(w.ttl + w.unit())
		w.wantTold()
		if got := w.as(a, user, chat.Visible); len(got) != 1 || !got[0].Online {
			t.Fatalf("showing: %+v", got)
		}
		w.wantStatus(user, "online")
		delete(w.gateways, "a")
		w.pass(w.ttl + 2*w.unit())
		w.wantTold("offline")
	})
}

// A user hides who is online by a lease alone: their gateway has died, or they have just left.
func TestHidingWithoutAGateway(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		a, b, dead, gone := w.gateway("a"), w.gateway("b"), chat.NewID(), chat.NewID()
		w.as(a, dead, chat.Visible)
		w.as(b, gone, chat.Visible)
		delete(w.gateways, "a")
		w.must(b.Disconnect(t.Context(), gone))
		for _, user := range []chat.ID{dead, gone} {
			w.must(w.directory().Hide(t.Context(), user))
			w.must(w.directory().Hide(t.Context(), user))
			w.wantStatus(user, "offline")
		}
		w.pass(2 * w.unit())
		w.wantTold("offline", "offline")
		w.pass(w.ttl + w.grace())
		w.wantTold()
	})
}

// The write that ends a time of hiding is lost with its connection: a renewal makes up for it.
func TestShowingIsCaughtUpWith(t *testing.T) {
	w := miniWorld(t)
	a, user := w.gateway("a"), chat.NewID()
	w.as(a, user, chat.Invisible)
	w.mini.SetError("ERR away")
	if _, err := a.Connect(t.Context(), chat.Arrival{UserID: user, Visibility: chat.Visible}); err == nil {
		t.Fatal("written to a Redis that is away")
	}
	w.mini.SetError("")
	w.pass(2 * w.unit())
	w.wantStatus(user, "online")
	w.wantTold("online")
}

// Redis forgets while a user hides: nobody hears of them, also when they leave.
func TestAHiddenUserIsHiddenAgainAfterALoss(t *testing.T) {
	w := miniWorld(t)
	a, user := w.gateway("a"), chat.NewID()
	w.as(a, user, chat.Invisible)
	w.move(time.Millisecond)
	w.mini.FlushAll()
	w.pass(w.settle() + 2*w.unit())
	w.wantStatus(user, "offline")
	w.mini.FlushAll()
	w.must(a.Disconnect(t.Context(), user))
	w.pass(w.settle() + w.grace() + tellAgain)
	w.wantTold()
}

func TestAttendance(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		a, user, nobody := w.gateway("a"), chat.NewID(), chat.NewID()
		of := func(user chat.ID) chat.Attendance {
			t.Helper()
			found, err := w.directory().Attendances(t.Context(), []chat.ID{user, user})
			w.must(err)
			return found[user]
		}
		if got := of(nobody); got.There || !got.Came.IsZero() {
			t.Errorf("nobody: %+v", got)
		}
		before := w.now().Add(-time.Second)
		w.as(a, user, chat.Invisible)
		came := of(user)
		if !came.There || came.Came.Before(before) {
			t.Errorf("here, though invisible: %+v", came)
		}
		w.pass(w.ttl)
		w.must(a.Disconnect(t.Context(), user))
		w.pass(2 * w.grace())
		if got := of(user); got.There || !got.Came.Equal(came.Came) {
			t.Errorf("gone: %+v, came as %v", got, came.Came)
		}
	})
}

// Right after a loss nobody can say who is there.
func TestAttendanceIsUnknownWhileLeasesAreWrittenAgain(t *testing.T) {
	w := miniWorld(t)
	w.move(time.Millisecond)
	w.mini.FlushAll()
	if _, err := w.directory().Attendances(t.Context(), []chat.ID{chat.NewID()}); err == nil {
		t.Error("an answer from an empty Redis")
	}
}

// Redis forgets while a user is seen at one gateway, and hides at another before the first has written again that they left: only
// the first knows what others were told.
func TestHidingElsewhereAfterALossIsTold(t *testing.T) {
	w := miniWorld(t)
	a, b, user := w.gateway("a"), w.gateway("b"), chat.NewID()
	w.as(a, user, chat.Visible)
	w.move(time.Millisecond)
	w.mini.SetError("ERR away")
	if err := a.Disconnect(t.Context(), user); err == nil {
		t.Fatal("written to a Redis that is away")
	}
	w.mini.SetError("")
	w.mini.FlushAll()
	if changes := w.as(b, user, chat.Invisible); len(changes) != 0 {
		t.Errorf("whoever was not seen at b changed %+v", changes)
	}
	w.pass(w.settle() + tellAgain)
	w.wantTold("offline")
}
