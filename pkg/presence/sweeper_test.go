package presence

import (
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/redis/redistest"
)

// Several sweepers at once: each user goes offline once.
func TestEachIsAnnouncedByOneSweeper(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		a := w.gateway("a")
		const n = 500
		for range n {
			w.connect(a, chat.NewID())
		}
		delete(w.gateways, "a")
		w.sweeper = nil
		idle := w.gateway("idle") // keeps Redis in touch
		w.pass(w.ttl + w.unit())
		_ = idle
		seen := map[chat.ID]int{}
		for range 20 { // on a busy machine a shard may have been out of touch, and settles first
			var g errgroup.Group
			for range 4 {
				s := w.newSweeper()
				g.Go(func() error { return s.sweep(t.Context()) })
			}
			w.must(g.Wait())
			for _, c := range w.take() {
				if c.Online {
					t.Fatalf("announced online: %+v", c)
				}
				seen[c.UserID]++
			}
			if len(seen) == n {
				break
			}
			w.pass(w.unit())
		}
		if len(seen) != n {
			t.Errorf("%d of %d announced", len(seen), n)
		}
		for user, times := range seen {
			if times != 1 {
				t.Errorf("%s announced %d times", user, times)
			}
		}
	})
}

// A sweeper that dies between the change and its announcement loses nothing; nor does a gateway.
func TestAnUnconfirmedChangeIsAnnouncedAgain(t *testing.T) {
	w := miniWorld(t)
	a, user := w.gateway("a"), chat.NewID()
	online, err := arrive(t.Context(), a, user) // the gateway dies before it announces
	w.must(err)
	w.pass(tellAfter - 2*w.unit())
	w.wantTold()
	w.pass(4 * w.unit())
	if told := w.wantTold("online"); told[0] != *online {
		t.Errorf("announced %+v, changed %+v", told[0], *online)
	}
	w.pass(2 * tellAgain)
	w.wantTold() // confirmed

	w.must(a.Disconnect(t.Context(), user))
	fails := 0
	w.sweeper.announce = func(context.Context, chat.PresenceChange) error { fails++; return errors.New("away") }
	w.pass(w.grace() + w.unit())
	if fails != 1 {
		t.Fatalf("announced %d times", fails)
	}
	w.pass(tellAfter + w.unit())
	if fails != 2 {
		t.Fatalf("announced %d times", fails)
	}
	w.sweeper = w.newSweeper()
	w.pass(tellAgain + w.unit())
	told := w.wantTold("offline")

	// A late confirmation of the older change does not hide a newer one.
	w.must(w.directory().Told(t.Context(), *online))
	newer, err := arrive(t.Context(), a, user)
	w.must(err)
	w.must(w.directory().Told(t.Context(), told[0]))
	w.pass(tellAfter + w.unit())
	if again := w.wantTold("online"); again[0] != *newer {
		t.Errorf("announced %+v, changed %+v", again[0], *newer)
	}
}

// Redis may lose touch between a sweeper's looking and its taking offline.
func TestNobodyIsTakenOfflineWhileAShardSettles(t *testing.T) {
	w := miniWorld(t)
	a, user := w.gateway("a"), chat.NewID()
	w.connect(a, user)
	w.move(2 * w.ttl)
	w.must(w.sweeper.expire(t.Context(), shardOf(user), []string{user.String()}))
	w.must(w.sweeper.retell(t.Context(), shardOf(user), []string{user.String()}))
	w.wantTold()
	w.pass(w.ttl)
	w.wantStatus(user, "online")
	w.wantTold()
}

// Versions grow although the clock stands still, or runs backwards, or Redis forgets them.
func TestVersionsGrow(t *testing.T) {
	w := miniWorld(t)
	a, user := w.gateway("a"), chat.NewID()
	var last int64
	for range 3 {
		change := w.connect(a, user)
		if change == nil || change.Version <= last {
			t.Fatalf("version %+v after %d", change, last)
		}
		w.must(a.Disconnect(t.Context(), user))
		w.pass(w.grace() + w.unit())
		offline := w.wantTold("offline")
		if offline[0].Version <= change.Version {
			t.Fatalf("version %d after %d", offline[0].Version, change.Version)
		}
		last = offline[0].Version
		w.move(-w.grace()) // further than the versions are apart
	}
	w.move(4 * w.grace())
	w.must(w.client.FlushAll(t.Context()).Err())
	w.pass(w.settle() + w.unit())
	if change := w.connect(a, user); change == nil || change.Version <= last {
		t.Errorf("version %+v after %d and a loss", change, last)
	}
}

// The running parts notice a loss by themselves, at once, and end when they are told to.
func TestRunNoticesALoss(t *testing.T) {
	t.Parallel()
	s := redistest.StartServer(t)
	w := realWorld(t, s)
	forgotten := make(chan struct{}, 8)
	a := NewLeases(LeasesConfig{
		Redis: w.client, Instance: "a", Settle: w.settle(),
		Forgotten: func(context.Context) { forgotten <- struct{}{} },
	})
	ctx, cancel := context.WithCancel(t.Context())
	var g errgroup.Group
	g.Go(func() error { return a.Run(ctx) })
	g.Go(func() error { return w.sweeper.Run(ctx) })
	user, conv := chat.NewID(), chat.NewID()
	if _, err := arrive(ctx, a, user); err != nil {
		t.Fatal(err)
	}
	w.must(a.OpenRoom(ctx, conv))
	s.Kill()
	time.Sleep(300 * time.Millisecond) // long enough to be noticed
	s.Restart()
	back := time.Now()
	select {
	case <-forgotten:
	case <-time.After(10 * time.Second):
		t.Fatal("the loss was not noticed")
	}
	// A second is promised; a busy machine is given more.
	if took := time.Since(back); took > 3*time.Second {
		t.Errorf("noticed after %v", took)
	}
	w.wantStatus(user, "online")
	if len(w.rooms(conv)) != 1 {
		t.Error("the room is not registered again")
	}
	cancel()
	w.must(g.Wait())
}
