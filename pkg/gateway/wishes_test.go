package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/relay"
	"github.com/dozaar/dozaar/pkg/store/storetest"
)

// arrived are the users whose leases were written, as "id visibility".
func (w *world) arrived() []chat.Arrival {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.arrivals)
}

func TestAMutedConversationIsSilentAndIsHeardAgain(t *testing.T) {
	w := newWorld(t).start()
	bea, sam := newUser("Bea"), newUser("Sam")
	room, other := w.conversation(bea, sam), w.conversation(bea, sam)
	if err := w.store.PutMuted(t.Context(), sam.ID, room, true); err != nil {
		t.Fatal(err)
	}
	_, c := w.connect(sam)
	eventually(t, "his lease is written", func() bool { return len(w.arrived()) == 1 })
	notify := func(room chat.ID) { w.relay(w.put(room, bea, "x"), sam.ID) }
	count := func() int { return len(c.events("message:notification")) }
	notify(room)
	notify(other)
	if count() != 1 {
		t.Errorf("%d notifications, want that of the other conversation", count())
	}
	if err := w.store.PutMuted(t.Context(), sam.ID, room, false); err != nil {
		t.Fatal(err)
	}
	w.Receive(t.Context(), relay.Envelope{Settings: &relay.Settings{UserID: sam.ID}})
	eventually(t, "his settings are read again", func() bool { return !w.wishes.muted(sam.ID, room) })
	notify(room)
	if count() != 2 {
		t.Errorf("%d notifications after unmuting", count())
	}
}

func TestAnInvisibleUserArrivesInvisiblyAndShows(t *testing.T) {
	w := newWorld(t).start()
	sam := newUser("Sam")
	if err := w.store.PutInvisible(t.Context(), sam.ID, true); err != nil {
		t.Fatal(err)
	}
	w.connect(sam)
	want := []chat.Arrival{{UserID: sam.ID, Visibility: chat.Invisible}}
	eventually(t, "he arrives", func() bool { return slices.Equal(w.arrived(), want) })
	if err := w.store.PutInvisible(t.Context(), sam.ID, false); err != nil {
		t.Fatal(err)
	}
	if err := w.SettingsChanged(t.Context(), sam.ID); err != nil {
		t.Fatal(err)
	}
	want = append(want, chat.Arrival{UserID: sam.ID, Visibility: chat.Visible})
	eventually(t, "he shows himself", func() bool { return slices.Equal(w.arrived(), want) })
	if len(w.hidden) != 0 {
		t.Errorf("hidden: %v", w.hidden)
	}
	if err := errors.Join(w.store.PutInvisible(t.Context(), sam.ID, true), w.SettingsChanged(t.Context(), sam.ID)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(w.hidden, []chat.ID{sam.ID}) { // at once, whatever gateways do
		t.Errorf("hidden: %v", w.hidden)
	}
}

// awaySettings is a store that cannot answer for one user's settings, for a while.
type awaySettings struct {
	*storetest.Memory
	mu   sync.Mutex
	away chat.ID
}

func (s *awaySettings) Settings(ctx context.Context, users []chat.ID) (map[chat.ID]chat.Settings, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.Memory.Settings(ctx, users)
	if _, asked := found[s.away]; asked {
		delete(found, s.away)
		err = chat.ErrUnavailable
	}
	return found, err
}

// A user whose settings cannot be read has a lease at once, as they were seen before, written once; and is seen as they wish
// when the store is back. Nobody else is held up.
func TestSettingsThatCannotBeReadHoldNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		bea, sam := newUser("Bea"), newUser("Sam")
		store := &awaySettings{Memory: w.store, away: sam.ID}
		w.Store = store
		if err := w.store.PutInvisible(t.Context(), sam.ID, true); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		first, _ := w.connect(sam)
		second, _ := w.connect(bea)
		time.Sleep(time.Minute)
		got := fmt.Sprint(w.arrived())
		if len(w.arrived()) != 2 ||
			!slices.Contains(w.arrived(), chat.Arrival{UserID: sam.ID, Visibility: chat.VisibleAsBefore}) ||
			!slices.Contains(w.arrived(), chat.Arrival{UserID: bea.ID, Visibility: chat.Visible}) {
			t.Errorf("arrived: %s", got)
		}
		store.mu.Lock()
		store.away = chat.ID{}
		store.mu.Unlock()
		time.Sleep(time.Minute)
		if last := w.arrived()[len(w.arrived())-1]; len(w.arrived()) != 3 || last.UserID != sam.ID || last.Visibility != chat.Invisible {
			t.Errorf("arrived %v", w.arrived())
		}
		w.disconnected(first)
		w.disconnected(second)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
