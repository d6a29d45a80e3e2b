package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dozaar/dozaar/pkg/auth"
	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/relay"
)

func TestNothingIsAcknowledgedThatKafkaHasNot(t *testing.T) {
	w := newWorld(t).start()
	bea := newUser("Bea")
	room := w.conversation(bea)
	s, c := w.connect(bea)
	w.must(s, "join:conversation", obj{"conversationId": room})
	w.fault = fmt.Errorf("%w: broker away", chat.ErrUnavailable)
	ack := w.do(s, "send:message", obj{"conversationId": room, "message": "x"})
	if ack["ok"] != false || ack["code"] != "unavailable" {
		t.Errorf("acknowledged %v", ack)
	}
	if e := c.events("exception"); len(e) != 1 || strings.Contains(string(e[0]), "broker") {
		t.Errorf("exceptions: %s", e)
	}
	w.fault = errors.New("a bug")
	if ack := w.do(s, "send:message", obj{"conversationId": room, "message": "x"}); ack["code"] != "internal" || strings.Contains(fmt.Sprint(ack), "bug") {
		t.Errorf("acknowledged %v", ack)
	}
	w.fault = nil
	w.must(s, "send:message", obj{"conversationId": room, "message": "x", "senderId": chat.NewID()})
	if len(w.published) != 1 || w.published[0].Sender != bea {
		t.Errorf("published %+v", w.published)
	}
}

func TestARetryIsAnsweredFromTheStore(t *testing.T) {
	w := newWorld(t).start()
	bea := newUser("Bea")
	room, client := w.conversation(bea), chat.NewID()
	s, _ := w.connect(bea)
	w.must(s, "join:conversation", obj{"conversationId": room})
	first := w.must(s, "send:message", obj{"conversationId": room, "message": "x", "clientMessageId": client})
	m := w.published[0]
	m.Seq = 1
	if err := w.store.PutMessages(context.Background(), []chat.StoredMessage{{Message: m, Position: chat.Position{Offset: 1}}}); err != nil {
		t.Fatal(err)
	}
	again := w.must(s, "send:message", obj{"conversationId": room, "message": "x", "clientMessageId": client})
	if fmt.Sprint(first) != fmt.Sprint(again) || len(w.published) != 1 {
		t.Errorf("first %v, again %v, %d published", first, again, len(w.published))
	}
	other := w.do(s, "send:message", obj{"conversationId": room, "message": "y", "clientMessageId": client})
	if other["code"] != "conflict" || other["field"] != "clientMessageId" || len(w.published) != 1 {
		t.Errorf("another body: %v", other)
	}
}

func TestARemovedMemberIsPutOutBeforeTheNextMessage(t *testing.T) {
	w := newWorld(t).start()
	bea, sam := newUser("Bea"), newUser("Sam")
	room := w.conversation(bea, sam)
	_, beas := w.join(bea, room)
	s, sams := w.join(sam, room)
	if _, err := w.store.RemoveMember(context.Background(), room, sam.ID); err != nil {
		t.Fatal(err)
	}
	// The word of it was lost: only the revision in the next message tells.
	m := w.put(room, bea, "without him")
	w.Receive(context.Background(), relay.Envelope{Message: &relay.Message{Message: m, Revision: 2}})
	eventually(t, "the message reaches who is still a member", func() bool { return len(beas.seqs()) == 1 })
	if got := sams.seqs(); len(got) != 0 {
		t.Errorf("a removed member was shown %v", got)
	}
	if e := sams.events("exception"); len(e) != 1 || !strings.Contains(string(e[0]), room.String()) {
		t.Errorf("exceptions: %s", e)
	}
	if ack := w.do(s, "send:message", obj{"conversationId": room, "message": "x"}); ack["code"] != "not_joined" {
		t.Errorf("a removed member's send: %v", ack)
	}
	if ack := w.do(s, "join:conversation", obj{"conversationId": room}); ack["code"] != "not_found" {
		t.Errorf("a removed member's join: %v", ack)
	}
}

// A gateway that was stopped and goes on has envelopes from before a member was removed.
func TestAfterAResyncARemovedMemberIsShownNothing(t *testing.T) {
	w := newWorld(t) // nothing heals it
	bea, sam := newUser("Bea"), newUser("Sam")
	room := w.conversation(bea, sam)
	_, beas := w.join(bea, room)
	_, sams := w.join(sam, room)
	m := w.put(room, bea, "while he was a member")
	if _, err := w.store.RemoveMember(context.Background(), room, sam.ID); err != nil {
		t.Fatal(err)
	}
	w.Resync(context.Background(), relay.ReasonPause)
	w.relay(m)
	eventually(t, "the message reaches who is still a member", func() bool { return len(beas.seqs()) == 1 })
	if got := sams.seqs(); len(got) != 0 {
		t.Errorf("a removed member was shown %v", got)
	}
}

// What waited while a gateway stood still says that somebody was removed who has long been let in again.
func TestAnOldWordPutsNobodyOutWhoIsAMember(t *testing.T) {
	w := newWorld(t)
	store := &awayStore{Store: w.store}
	w.Gateway.Store = store
	bea, sam, eve := newUser("Bea"), newUser("Sam"), newUser("Eve")
	room := w.conversation(bea, sam, eve)
	_, _ = w.join(bea, room)
	_, sams := w.join(sam, room)
	_, eves := w.join(eve, room)
	ctx := t.Context()
	for _, user := range []chat.User{sam, eve} {
		if _, err := w.store.RemoveMember(ctx, room, user.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.store.PutMember(ctx, room, chat.Member{UserID: sam.ID, Username: sam.Username}); err != nil {
		t.Fatal(err)
	}
	store.hangs.Store(true) // until all is said
	w.Resync(ctx, relay.ReasonPause)
	for i, user := range []chat.User{sam, eve} {
		w.Receive(ctx, relay.Envelope{Members: &relay.Members{ConversationID: room, Revision: int64(i + 2), Removed: user.ID}})
	}
	w.Receive(ctx, relay.Envelope{Typing: &relay.Typing{ConversationID: room, UserID: bea.ID, Typing: true}})
	if n := len(eves.events("user:typing")) + len(sams.events("user:typing")); n != 0 {
		t.Errorf("%d who may have been removed were shown that somebody types", n)
	}
	store.hangs.Store(false)
	eventually(t, "who is no member is put out", func() bool { return len(eves.events("exception")) == 1 })
	w.relay(w.put(room, bea, "to who is a member"))
	eventually(t, "who is a member again is shown it", func() bool { return len(sams.seqs()) == 1 })
	if e := sams.events("exception"); len(e) != 0 {
		t.Errorf("who is a member again was told %s", e)
	}
	w.endBase()
	w.stop()
}

// A deliver stores, and cannot tell: who is a member is shown it all the same, and a room that is not behind costs nothing.
func TestWhatNobodyTellsOfIsFound(t *testing.T) {
	w := newWorld(t)
	bea, sam := newUser("Bea"), newUser("Sam")
	room, silent, other := w.conversation(bea, sam), w.conversation(bea, sam), w.conversation(bea)
	_, beas := w.join(bea, room)
	_, sams := w.join(sam, room)
	_, put := w.join(sam, silent)
	_, _ = w.join(bea, other)
	w.put(room, bea, "nobody tells of it")
	for _, left := range []chat.ID{room, silent} {
		if _, err := w.store.RemoveMember(t.Context(), left, sam.ID); err != nil {
			t.Fatal(err)
		}
	}
	store := &countingStore{Store: w.store}
	w.Gateway.Store = store
	ctx, end := context.WithCancel(t.Context())
	healed := make(chan struct{})
	go func() {
		defer close(healed)
		_ = w.heal(ctx)
	}()
	w.Unheard(ctx)
	eventually(t, "the message reaches who is a member", func() bool { return len(beas.seqs()) == 1 })
	eventually(t, "who is none is put out where nothing is said, too", func() bool { return len(put.events("exception")) == 1 })
	end()
	<-healed
	if got := sams.seqs(); len(got) != 0 {
		t.Errorf("a removed member was shown %v", got)
	}
	if reads := store.reads.Load(); reads != 2 {
		t.Errorf("the members of %d rooms were read; two had changed", reads)
	}
}

func TestARemovedMemberCannotSendAfterFiveSecondsThoughTheWordWasLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		sam := newUser("Sam")
		room := w.conversation(sam, newUser("Bea"))
		s, _ := w.join(sam, room)
		if _, err := w.store.RemoveMember(context.Background(), room, sam.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(membersMaxAge)
		for _, event := range []string{"send:message", "typing:start"} {
			if ack := w.do(s, event, obj{"conversationId": room, "message": "x"}); ack["ok"] != false {
				t.Errorf("%s: %v", event, ack)
			}
		}
		w.disconnected(s)
	})
}

func (w *world) join(u chat.User, room chat.ID) (*session, *fakeConn) {
	w.t.Helper()
	s, c := w.connect(u)
	w.must(s, "join:conversation", obj{"conversationId": room})
	return s, c
}

func TestTypingEndsByItselfWhateverBecameOfTheSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		bea, sam := newUser("Bea"), newUser("Sam")
		room := w.conversation(bea, sam)
		s, beas := w.join(bea, room)
		typing := func(user chat.User, on bool) {
			w.Receive(t.Context(), relay.Envelope{Typing: &relay.Typing{ConversationID: room, UserID: user.ID, Typing: on}})
		}
		counts := func() [2]int { return [2]int{len(beas.events("user:typing")), len(beas.events("user:stopped_typing"))} }
		typing(sam, true)
		time.Sleep(9_999 * time.Millisecond)
		if got := counts(); got != [2]int{1, 0} {
			t.Errorf("after 9.999 s: %v", got)
		}
		typing(sam, true) // starts the ten seconds again
		time.Sleep(9_999 * time.Millisecond)
		if got := counts(); got != [2]int{2, 0} {
			t.Errorf("still typing: %v", got)
		}
		time.Sleep(2 * time.Millisecond)
		if got := counts(); got != [2]int{2, 1} {
			t.Errorf("after 10 s: %v", got)
		}
		typing(sam, false) // a late stop is no news
		typing(sam, true)
		w.relay(w.put(room, sam, "done"))
		if got := counts(); got != [2]int{3, 2} {
			t.Errorf("after a message: %v", got)
		}
		typing(newUser("Eve"), true) // no member
		typing(bea, true)            // one's own
		if got := counts(); got != [2]int{3, 2} {
			t.Errorf("own and foreign typing: %v", got)
		}
		w.disconnected(s)
		time.Sleep(time.Minute)
	})
}

func TestNotificationsGoToWhoIsNotInTheRoomOnce(t *testing.T) {
	w := newWorld(t).start()
	bea, sam := newUser("Bea"), newUser("Sam")
	room := w.conversation(bea, sam)
	_, inside := w.join(sam, room)
	_, outside := w.connect(sam)
	_, sender := w.connect(bea)
	m := w.put(room, bea, strings.Repeat("é", 101))
	w.relay(m, sam.ID, bea.ID)
	w.relay(m, sam.ID, bea.ID)
	if n := len(outside.events("message:notification")); n != 1 {
		t.Errorf("%d notifications outside the room", n)
	}
	var got struct{ Preview string }
	if err := json.Unmarshal(outside.events("message:notification")[0], &got); err != nil || got.Preview != strings.Repeat("é", 100) {
		t.Errorf("preview %q, %v", got.Preview, err)
	}
	if n := len(inside.events("message:notification")) + len(sender.events("message:notification")); n != 0 {
		t.Errorf("%d notifications to the room or the sender", n)
	}
	if n := len(inside.seqs()); n != 1 {
		t.Errorf("the room was shown the message %d times", n)
	}
}

func TestOldPresenceIsDropped(t *testing.T) {
	w := newWorld(t).start()
	bea, sam := newUser("Bea"), newUser("Sam")
	_, c := w.connect(bea)
	tell := func(online bool, version int64) {
		w.Receive(t.Context(), relay.Envelope{Presence: &relay.Presence{
			Change: chat.PresenceChange{UserID: sam.ID, Online: online, Version: version, At: time.Now()}, To: []chat.ID{bea.ID}}})
	}
	tell(true, 5)
	tell(true, 5)
	tell(false, 4)
	tell(false, 6)
	if on, off := len(c.events("user:online")), len(c.events("user:offline")); on != 1 || off != 1 {
		t.Errorf("%d online, %d offline", on, off)
	}
}

func TestASocketEndsWithItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		bea := newUser("Bea")
		c := &fakeConn{}
		s := w.newSession(auth.Identity{User: bea, ExpiresAt: time.Now().Add(time.Minute)})
		w.connected(s, c)
		time.Sleep(59 * time.Second)
		w.must(s, "auth:refresh", obj{"token": bea.ID.String() + " Bea"})
		time.Sleep(59 * time.Minute)
		if why := c.closedFor(); why != "" {
			t.Fatalf("closed for %q though refreshed", why)
		}
		if ack := w.do(s, "auth:refresh", obj{"token": chat.NewID().String() + " Eve"}); ack["code"] != "forbidden" {
			t.Errorf("another user's token: %v", ack)
		}
		time.Sleep(2 * time.Minute)
		if why := c.closedFor(); why != "token expired" {
			t.Errorf("closed for %q", why)
		}
		e := c.events("exception")
		if len(e) != 2 || !strings.Contains(string(e[1]), "token_expired") {
			t.Errorf("exceptions: %s", e)
		}
		w.disconnected(s)
	})
}

func TestAFloodIsRefusedThenEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		bea := newUser("Bea")
		room := w.conversation(bea)
		s, c := w.join(bea, room)
		refused := 0
		for range 150 {
			if w.do(s, "send:message", obj{"conversationId": room, "message": "x"})["code"] == "rate_limited" {
				refused++
			}
		}
		if refused != 50 {
			t.Errorf("%d of 150 at once were refused, want 50", refused)
		}
		time.Sleep(time.Second)
		allowed := len(w.published)
		for range 40 {
			w.do(s, "send:message", obj{"conversationId": room, "message": "x"})
		}
		if got := len(w.published) - allowed; got != 30 {
			t.Errorf("%d a second, want 30", got)
		}
		if c.closedFor() != "" {
			t.Error("closed too early")
		}
		for range 400 {
			w.do(s, "send:message", obj{"conversationId": room, "message": "x"})
		}
		if c.closedFor() != "rate limited" {
			t.Errorf("closed for %q", c.closedFor())
		}
		w.disconnected(s)
	})
}

func TestWhileTheDirectoryIsAwayEverybodyIsUnknown(t *testing.T) {
	w := newWorld(t).start()
	s, c := w.connect(newUser("Bea"))
	other := chat.NewID().String()
	w.must(s, "get:online_status", obj{"userIds": []string{other, "user-id-1"}})
	want := fmt.Sprintf(`{"statuses":{%q:{"online":null},"user-id-1":{"online":false}}}`, other)
	if got := string(c.events("online:status")[0]); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestARefusedMarkHidesNoOther has one device's mark refused, and another device mark the same message.
func TestARefusedMarkHidesNoOther(t *testing.T) {
	w := newWorld(t)
	bea, sam := newUser("Bea"), newUser("Sam")
	room := w.conversation(bea, sam)
	m := w.put(room, bea, "read me")
	s, conn := w.join(sam, room)
	w.fault = chat.ErrUnavailable
	if ack := w.do(s, "mark:read", obj{"messageId": m.ID}); ack["code"] != "unavailable" {
		t.Errorf("answered %v", ack)
	}
	w.fault = nil
	w.Receive(t.Context(), relay.Envelope{Read: &relay.Read{MessageID: m.ID, ConversationID: room, Seq: 1, ReadBy: sam.ID, At: time.Now(), To: []chat.ID{bea.ID, sam.ID}}})
	if got := conn.events("message:read"); len(got) != 1 {
		t.Errorf("the first device was told %v", got)
	}
}
