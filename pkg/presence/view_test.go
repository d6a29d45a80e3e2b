package presence

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// peers are who shares a conversation with whom.
type peers struct {
	of    map[chat.ID][]chat.ID
	err   error
	asked int
}

func (p *peers) Peers(_ context.Context, user chat.ID, limit int) ([]chat.ID, error) {
	p.asked++
	return p.of[user][:min(limit, len(p.of[user]))], p.err
}

// Row 19 of the hostile inputs: what one may not see is answered, byte for byte, as what is not there is, before and
// after whoever it is came, left, or was forgotten by Redis.
func TestAStrangerLearnsNothing(t *testing.T) {
	w := miniWorld(t)
	a, asker, friend, stranger, hidden, nobody := w.gateway("a"), chat.NewID(), chat.NewID(), chat.NewID(), chat.NewID(), chat.NewID()
	p := &peers{of: map[chat.ID][]chat.ID{asker: {friend, hidden}}}
	users := []chat.ID{friend, stranger, hidden, nobody, asker}
	say := func(audience Audience) map[chat.ID]string {
		t.Helper()
		v := NewView(w.directory(), audience, p)
		visible, err := v.Visible(t.Context(), asker, users)
		w.must(err)
		found, err := v.Statuses(t.Context(), users, visible)
		w.must(err)
		said := map[chat.ID]string{}
		for user, s := range found {
			said[user] = fmt.Sprint(statusWord(s), " ", s.LastSeen)
		}
		return said
	}
	check := func(when string) {
		t.Helper()
		off, members, all := say(Nobody), say(Members), say(Everyone)
		for _, user := range users {
			if off[user] != off[nobody] {
				t.Errorf("%s, presence off: %s; of nobody %s", when, off[user], off[nobody])
			}
		}
		for _, user := range []chat.ID{stranger, hidden} {
			if members[user] != members[nobody] {
				t.Errorf("%s, for members: %s; of nobody %s", when, members[user], members[nobody])
			}
		}
		if all[hidden] != all[nobody] {
			t.Errorf("%s, for everyone: the hidden user is %s; nobody %s", when, all[hidden], all[nobody])
		}
		if !maps.Equal(map[chat.ID]string{friend: members[friend], asker: members[asker]}, map[chat.ID]string{friend: all[friend], asker: all[asker]}) {
			t.Errorf("%s: friends are seen differently: %v, %v", when, members, all)
		}
	}
	check("before")
	for _, user := range []chat.ID{friend, stranger, asker} {
		w.as(a, user, chat.Visible)
	}
	w.as(a, hidden, chat.Invisible)
	check("while they are there")
	if got := say(Members)[friend]; got[:6] != "online" {
		t.Errorf("a friend is %s", got)
	}
	if got := say(Everyone)[stranger]; got[:6] != "online" {
		t.Errorf("where everyone may see, a stranger is %s", got)
	}
	w.move(time.Millisecond)
	w.mini.FlushAll()
	check("when Redis has forgotten")
	w.pass(w.settle() + 2*w.unit())
	check("when it was told again")
	for _, user := range []chat.ID{friend, stranger, hidden, asker} {
		w.must(a.Disconnect(t.Context(), user))
	}
	w.pass(2 * w.grace())
	check("after they left")
}

func TestWhomOneKnowsIsReadOnceInAWhile(t *testing.T) {
	w := miniWorld(t)
	asker, friend := chat.NewID(), chat.NewID()
	p := &peers{of: map[chat.ID][]chat.ID{asker: {friend}}}
	v := NewView(w.directory(), Members, p)
	for range 10 {
		visible, err := v.Visible(t.Context(), asker, []chat.ID{friend, chat.NewID()})
		w.must(err)
		if !slices.Equal(visible, []chat.ID{friend}) {
			t.Fatalf("visible %v", visible)
		}
	}
	if p.asked != 1 {
		t.Errorf("the store was asked %d times", p.asked)
	}
	p.of[asker] = nil
	v.Forget(asker)
	if visible, err := v.Visible(t.Context(), asker, []chat.ID{friend}); err != nil || len(visible) != 0 {
		t.Errorf("visible %v, %v: they have parted", visible, err)
	}
	p.err = errors.New("away")
	if _, err := v.Visible(t.Context(), chat.NewID(), []chat.ID{friend}); err == nil {
		t.Error("somebody is visible though nobody could say")
	}
}

// Whoever asks is told of changes, for as long as was said.
func TestListeners(t *testing.T) {
	on(t, func(t *testing.T, w *world) {
		a, user, peer := w.gateway("a"), chat.NewID(), chat.NewID()
		w.as(a, peer, chat.Visible)
		listeners := func() (byPeer map[chat.ID][]string, asking []string) {
			t.Helper()
			byPeer, asking, err := w.directory().Listeners(t.Context(), user, []chat.ID{peer, chat.NewID()})
			w.must(err)
			slices.Sort(asking)
			return byPeer, asking
		}
		if _, asking := listeners(); len(asking) != 0 {
			t.Errorf("asking: %v", asking)
		}
		w.must(w.directory().Asked(t.Context(), "b", []chat.ID{user, chat.NewID()}, 4*w.unit()))
		w.must(w.directory().Asked(t.Context(), "c", []chat.ID{user}, 60*w.unit()))
		byPeer, asking := listeners()
		if !slices.Equal(asking, []string{"b", "c"}) || len(byPeer) != 1 || !slices.Equal(byPeer[peer], []string{"a"}) {
			t.Errorf("asking %v, peers at %v", asking, byPeer)
		}
		w.pass(10 * w.unit())
		if _, asking := listeners(); !slices.Equal(asking, []string{"c"}) {
			t.Errorf("later asking: %v", asking)
		}
	})
}
