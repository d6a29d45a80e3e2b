package gateway

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/relay"
)

func TestWhatSocketsWereToldIsLookedAtAgainAfterTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- w.Run(ctx) }()
		defer func() {
			cancel()
			<-ended
		}()
		bea, left := newUser("Bea"), newUser("Left")
		s, _ := w.connect(bea)
		gone, _ := w.connect(left)
		told, nobodys, asked := chat.NewID(), chat.NewID(), chat.NewID()
		w.online = map[chat.ID]bool{asked: true}
		tell := func(user chat.ID, to ...chat.ID) {
			w.Receive(ctx, relay.Envelope{Presence: &relay.Presence{Change: chat.PresenceChange{UserID: user, Online: true, Version: 7, At: time.Now()}, To: to}})
		}
		tell(told, bea.ID)
		tell(nobodys, left.ID)
		w.must(s, "get:online_status", obj{"userIds": []chat.ID{asked}})
		w.disconnected(gone)
		w.questions = nil

		w.settling = true
		w.Resync(ctx, "Redis was lost")
		time.Sleep(20 * time.Second)
		w.mu.Lock()
		if len(w.missed) < 2 {
			t.Errorf("asked %d times while Redis could not say", len(w.missed))
		}
		w.settling, w.missed = false, nil
		w.mu.Unlock()
		time.Sleep(20 * time.Second)
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.missed) != 1 {
			t.Fatalf("asked %d times though Redis has said it", len(w.missed))
		}
		versions := map[chat.ID]int64{}
		for _, c := range w.missed[0] {
			if !c.Online {
				t.Errorf("%s was told to be online", c.UserID)
			}
			versions[c.UserID] = c.Version
		}
		if len(versions) != 2 || versions[told] != 7 || versions[asked] != 0 {
			t.Errorf("looked at %v; told %s, asked %s, told to who has left %s", versions, told, asked, nobodys)
		}
		if !slices.ContainsFunc(w.questions, func(users []chat.ID) bool { return slices.Equal(users, []chat.ID{asked}) }) {
			t.Errorf("Redis was told of questions %v", w.questions)
		}
	})
}
