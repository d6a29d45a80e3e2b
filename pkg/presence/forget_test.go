package presence

import (
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/redis/redistest"
)

// forgetful runs a test on a Redis that can be made to lose everything: flushed, or killed and started
// again.
func forgetful(t *testing.T, test func(t *testing.T, w *world, lose func())) {
	t.Parallel()
	t.Run("miniredis", func(t *testing.T) {
		m := redistest.StartMini(t)
		w := newWorld(t, redistest.Unhurried(t, m), 30e9, m.Now, m.Advance)
		test(t, w, m.FlushAll)
	})
	t.Run("redis-server", func(t *testing.T) {
		t.Parallel()
		s := redistest.StartServer(t)
		test(t, realWorld(t, s), func() { s.Kill(); s.Restart() })
	})
}

func TestRedisForgets(t *testing.T) {
	forgetful(t, func(t *testing.T, w *world, lose func()) {
		a, b := w.gateway("a"), w.gateway("b")
		here, there, away, conv := chat.NewID(), chat.NewID(), chat.NewID(), chat.NewID()
		before := w.connect(a, here)
		w.connect(b, there)
		w.must(a.OpenRoom(t.Context(), conv))
		w.pass(w.unit())

		lose()
		for _, user := range []chat.ID{here, there, away} {
			w.wantStatus(user, "unknown")
		}
		rewritten, err := a.beat(t.Context())
		if err != nil || !rewritten {
			t.Fatalf("the next round wrote everything again: %v, %v", rewritten, err)
		}
		w.wantStatus(here, "online")
		w.wantStatus(there, "unknown")
		if len(w.rooms(conv)) != 1 {
			t.Error("the room is not registered again")
		}
		if rewritten, err := a.beat(t.Context()); err != nil || rewritten {
			t.Errorf("and did not do it twice: %v, %v", rewritten, err)
		}
		w.pass(w.settle() + w.unit())
		w.wantStatus(there, "online")
		w.wantStatus(away, "offline")
		w.pass(w.ttl / 2)
		w.wantTold() // nobody came, nobody went

		w.must(a.Disconnect(t.Context(), here))
		w.pass(w.grace() + 2*w.unit())
		if told := w.wantTold("offline"); told[0].Version <= before.Version {
			t.Errorf("version %d is not newer than %d from before the loss", told[0].Version, before.Version)
		}
	})
}

// Whoever said goodbye just before Redis forgot is announced all the same.
func TestRedisForgetsAGoodbye(t *testing.T) {
	forgetful(t, func(t *testing.T, w *world, lose func()) {
		a, user := w.gateway("a"), chat.NewID()
		w.connect(a, user)
		w.pass(w.unit())
		w.must(a.Disconnect(t.Context(), user))
		lose()
		w.pass(w.settle() + w.grace() + 2*w.unit())
		w.wantStatus(user, "offline")
		w.wantTold("offline")
		w.pass(w.ttl)
		w.wantTold()
		if users, _ := a.table.all(); len(users) != 0 || len(a.table.leases) != 0 {
			t.Errorf("the gateway still remembers %d", len(a.table.leases))
		}
	})
}

// Users come and go while Redis is away.
func TestRedisIsAway(t *testing.T) {
	t.Parallel()
	s := redistest.StartServer(t)
	w := realWorld(t, s)
	a, stays, leaves, comes := w.gateway("a"), chat.NewID(), chat.NewID(), chat.NewID()
	w.connect(a, stays)
	w.connect(a, leaves)
	s.Kill()
	if err := a.Disconnect(t.Context(), leaves); err == nil {
		t.Error("Disconnect did not say that Redis is away")
	}
	if _, err := arrive(t.Context(), a, comes); err == nil {
		t.Error("Connect did not say that Redis is away")
	}
	w.wantUnknownWithout(stays)
	s.Restart()
	w.pass(w.unit())
	w.wantStatus(stays, "online")
	w.wantStatus(comes, "online")
	w.pass(w.settle() + w.grace() + 2*w.unit())
	w.wantStatus(leaves, "offline")
	last := map[chat.ID]bool{}
	for _, c := range w.take() {
		last[c.UserID] = c.Online
	}
	if online, told := last[leaves]; !told || online {
		t.Error("it was not announced who left")
	}
	if online, told := last[comes]; !told || !online {
		t.Error("it was not announced who came")
	}
	if _, told := last[stays]; told {
		t.Error("something was announced of who stayed")
	}
}

// wantUnknownWithout checks that without Redis a status is unknown.
func (w *world) wantUnknownWithout(user chat.ID) {
	w.t.Helper()
	s, err := w.directory().Statuses(w.t.Context(), []chat.ID{user}, nil)
	if err == nil || statusWord(s[user]) != "unknown" {
		w.t.Errorf("without Redis: %v, %v", s, err)
	}
}

// Redis was out of everybody's reach for longer than leases last, or came back with an old snapshot:
// leases that ran out meanwhile say nothing.
func TestRedisWasOutOfReach(t *testing.T) {
	w := miniWorld(t)
	a, b, lives, dies := w.gateway("a"), w.gateway("b"), chat.NewID(), chat.NewID()
	w.connect(a, lives)
	w.connect(b, dies)
	w.pass(w.unit())
	delete(w.gateways, "b")
	w.move(2 * w.ttl)
	w.must(w.sweeper.sweep(t.Context())) // the sweeper gets there first
	w.wantTold()
	w.wantStatus(lives, "unknown")
	w.pass(w.unit())
	w.wantStatus(lives, "online")
	w.pass(w.settle() + w.unit())
	if told := w.wantTold("offline"); told[0].UserID != dies {
		t.Error("the wrong one went offline")
	}
	w.pass(w.ttl)
	w.wantTold()
}

// A single lost key, as an eviction would do it, is found by the next renewal.
func TestRedisLosesOneLease(t *testing.T) {
	w := miniWorld(t)
	a, user, conv := w.gateway("a"), chat.NewID(), chat.NewID()
	w.connect(a, user)
	w.must(a.OpenRoom(t.Context(), conv))
	w.client.Del(t.Context(), leasesKey(user), stateKey(user))
	w.client.Del(t.Context(), roomKey(conv))
	rewritten := false
	for range 10 * 2 {
		w.move(w.unit())
		again, err := a.beat(t.Context())
		w.must(err)
		rewritten = rewritten || again
	}
	if !rewritten {
		t.Error("the loss was not reported")
	}
	w.wantStatus(user, "online")
	if len(w.rooms(conv)) != 1 {
		t.Error("the room is not registered again")
	}
}

// Somebody left, was told to be offline, and comes back at the same gateway at the moment in which Redis is lost: that
// they came must be told, though the gateway has renewed their lease not long ago.
func TestComingBackWhileRedisIsLostIsTold(t *testing.T) {
	w := miniWorld(t)
	a, user := w.gateway("a"), chat.NewID()
	w.connect(a, user)
	w.must(a.Disconnect(t.Context(), user))
	w.pass(w.grace() + 2*w.unit())
	w.wantTold("offline")
	w.move(time.Millisecond)
	w.mini.SetError("ERR away")
	if _, err := arrive(t.Context(), a, user); err == nil {
		t.Fatal("written to a Redis that is away")
	}
	w.mini.SetError("")
	w.mini.FlushAll()
	w.pass(w.settle() + tellAgain)
	w.wantStatus(user, "online")
	w.wantTold("online")
}

// A goodbye that is told to a Redis that has forgotten says nothing of what others were told; whoever comes after it
// must be told.
func TestComingAfterAGoodbyeThatWasForgotten(t *testing.T) {
	w := miniWorld(t)
	a, b, user := w.gateway("a"), w.gateway("b"), chat.NewID()
	w.connect(a, user)
	w.must(a.Disconnect(t.Context(), user))
	w.pass(w.grace() + 2*w.unit())
	w.wantTold("offline")
	w.move(time.Millisecond)
	w.mini.FlushAll()
	w.must(a.Reassert(t.Context())) // it does not know yet that the user is told to be offline
	if change := w.connect(b, user); change == nil {
		t.Error("whoever came is not told")
	}
	w.pass(w.ttl)
	w.wantStatus(user, "online")
	w.wantTold()
}
