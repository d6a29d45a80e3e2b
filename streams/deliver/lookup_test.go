package deliver

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// slowOwners answers after a second, with the rooms as they are when it was asked.
type slowOwners struct {
	mu    sync.Mutex
	fail  error
	asked [][]chat.ID
	rooms map[chat.ID][]string
}

func (o *slowOwners) Owners(_ context.Context, _, rooms []chat.ID) (byUser, byConversation map[chat.ID][]string, err error) {
	o.mu.Lock()
	o.asked = append(o.asked, rooms)
	answer, err := map[chat.ID][]string{}, o.fail
	for _, r := range rooms {
		answer[r] = o.rooms[r]
	}
	o.mu.Unlock()
	time.Sleep(time.Second)
	return nil, answer, err
}

// Who asks while somebody else does is answered together with all the others who do, and by a question that was asked
// after he came: the one under way may be from before he had stored what he wants to tell.
func TestLookupsAreGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &slowOwners{rooms: map[chat.ID][]string{}}
		l := &lookups{owners: o, timeout: time.Minute}
		var all sync.WaitGroup
		ask := func(room chat.ID, want ...string) {
			all.Go(func() {
				got, err := l.ask(t.Context(), nil, []chat.ID{room})
				if err != nil || !slices.Equal(got.byConversation[room], want) {
					t.Errorf("asked for %v: %v, %v; want %v", room, got.byConversation[room], err, want)
				}
			})
		}
		ask(deal)
		synctest.Wait()
		o.mu.Lock()
		o.rooms[deal], o.rooms[simID('c', 1)] = []string{"g1"}, []string{"g2"}
		o.mu.Unlock()
		for i := range 10 {
			ask(deal, "g1")
			ask(simID('c', i), o.rooms[simID('c', i)]...)
		}
		// Who gives up does not take the others with him, even if it was his turn to ask.
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := l.ask(ctx, nil, []chat.ID{simID('c', 99)}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who gives up gets %v", err)
		}
		all.Wait()
		if len(o.asked) != 2 || len(o.asked[1]) != 12 {
			t.Errorf("asked %d times, for %v; want two questions, the second for 12 rooms", len(o.asked), o.asked)
		}
		ask(deal, "g1")
		all.Wait()
		o.fail = errAway
		if _, err := l.ask(t.Context(), nil, []chat.ID{deal}); !errors.Is(err, errAway) {
			t.Errorf("error %v, want %v", err, errAway)
		}
	})
}

// A question that everybody has given up waiting for is asked by the next one who comes.
func TestALookupWithoutAskersIsNotStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lookups{owners: &slowOwners{}, timeout: time.Minute}
		go func() { _, _ = l.ask(t.Context(), nil, []chat.ID{deal}) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, _ = l.ask(ctx, nil, []chat.ID{deal})
		time.Sleep(2 * time.Second) // the first has its answer, and left the lead to nobody
		if _, err := l.ask(t.Context(), nil, []chat.ID{deal}); err != nil {
			t.Error(err)
		}
	})
}
