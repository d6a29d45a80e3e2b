package gateway

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/relay"
)

// awayLeases fail while they are away.
type awayLeases struct {
	*world
	mu    sync.Mutex
	away  bool
	slow  time.Duration
	users map[chat.ID]bool
}

func (l *awayLeases) Connect(_ context.Context, arrivals ...chat.Arrival) ([]chat.PresenceChange, error) {
	var users []chat.ID
	for _, a := range arrivals {
		users = append(users, a.UserID)
	}
	return nil, l.put(users, true)
}

func (l *awayLeases) Disconnect(_ context.Context, users ...chat.ID) error {
	return l.put(users, false)
}

func (l *awayLeases) put(users []chat.ID, held bool) error {
	time.Sleep(l.slow)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return chat.ErrUnavailable
	}
	for _, user := range users {
		l.users[user] = held
	}
	return nil
}

// Users come and go all the while Redis is away; once it is back, each has a lease who is there, and stopping is quick.
func TestLeasesAreCaughtUpWithAfterRedisWasAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		leases := &awayLeases{world: w, away: true, slow: 20 * time.Millisecond, users: map[chat.ID]bool{}}
		w.Leases = leases
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		var there []*session
		for i := range 100 {
			s, _ := w.connect(newUser(fmt.Sprint("user ", i)))
			if i%3 == 0 {
				w.disconnected(s)
			} else {
				there = append(there, s)
			}
			time.Sleep(50 * time.Millisecond)
		}
		leases.mu.Lock()
		leases.away = false
		leases.mu.Unlock()
		time.Sleep(5 * time.Second)
		leases.mu.Lock()
		for _, s := range there {
			if !leases.users[s.user.ID] {
				t.Errorf("%s is there and has no lease", s.user.Username)
			}
		}
		leases.mu.Unlock()
		for _, s := range there {
			w.disconnected(s)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		for _, s := range there {
			if leases.users[s.user.ID] {
				t.Errorf("%s left and kept the lease", s.user.Username)
			}
		}
	})
}

// slowRelay takes its time, and longer for the first words than for later ones.
type slowRelay struct {
	mu   sync.Mutex
	n    int
	told []bool
}

func (r *slowRelay) Send(_ context.Context, envelopes []relay.Addressed) error {
	r.mu.Lock()
	r.n++
	pause := max(0, 10-time.Duration(r.n)) * time.Millisecond
	r.mu.Unlock()
	time.Sleep(pause)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range envelopes {
		r.told = append(r.told, e.Envelope.Typing.Typing)
	}
	return nil
}

func TestTypingIsToldInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := &slowRelay{}
		w.Relay = r
		bea := newUser("Bea")
		room := w.conversation(bea)
		s, _ := w.join(bea, room)
		var want []bool
		for range 5 {
			w.must(s, "typing:start", obj{"conversationId": room})
			w.must(s, "typing:stop", obj{"conversationId": room})
			want = append(want, true, false)
		}
		time.Sleep(time.Second)
		r.mu.Lock()
		defer r.mu.Unlock()
		if fmt.Sprint(r.told) != fmt.Sprint(want) {
			t.Errorf("told %v", r.told)
		}
		w.disconnected(s)
	})
}

func TestOneDeviceStopsTypingWhileAnotherGoesOn(t *testing.T) {
	w := newWorld(t)
	r := &slowRelay{}
	w.Relay = r
	bea := newUser("Bea")
	room := w.conversation(bea)
	phone, _ := w.join(bea, room)
	laptop, _ := w.join(bea, room)
	w.must(phone, "typing:start", obj{"conversationId": room})
	w.must(laptop, "typing:start", obj{"conversationId": room})
	eventually(t, "both starts", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.told) >= 2
	})
	w.disconnected(phone)
	w.must(laptop, "typing:stop", obj{"conversationId": room})
	eventually(t, "one stop", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.told) >= 3
	})
	r.mu.Lock()
	if last := r.told[len(r.told)-1]; last || len(r.told) != 3 {
		t.Errorf("told %v", r.told)
	}
	r.mu.Unlock()
	w.disconnected(laptop)
	w.endBase()
	w.stop()
}

func TestJoiningAgainShowsNothingTwice(t *testing.T) {
	w := newWorld(t).start()
	bea := newUser("Bea")
	room := w.conversation(bea)
	for range 3 {
		w.put(room, bea, "before")
	}
	s, c := w.connect(bea)
	w.must(s, "join:conversation", obj{"conversationId": room, "afterSeq": 1})
	w.relay(w.put(room, bea, "live"))
	w.must(s, "join:conversation", obj{"conversationId": room, "afterSeq": 2}) // it has had 3 and 4 since
	w.must(s, "join:conversation", obj{"conversationId": room})
	w.relay(w.put(room, bea, "live"))
	if got := fmt.Sprint(c.seqs()); got != "[2 3 4 5]" {
		t.Errorf("shown %s", got)
	}
	w.must(s, "join:conversation", obj{"conversationId": room, "afterSeq": 0}) // what it never had
	if got := fmt.Sprint(c.seqs()); got != "[2 3 4 5 1 2 3 4 5]" {
		t.Errorf("asked for all, shown %s", got)
	}
}

// A room may go on while a socket that is in it joins again: what it is told is the newest is what it was shown, or newer.
func TestJoiningAgainIsNotToldAnOlderNewest(t *testing.T) {
	w := newWorld(t).start()
	bea := newUser("Bea")
	conversation := w.conversation(bea)
	s, _ := w.join(bea, conversation)
	r, err := s.room(conversation)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w.relay(w.put(conversation, bea, "live"))
	}
	none, first, beyond := int64(0), int64(1), int64(9)
	for name, c := range map[string]struct {
		known        int64
		after        *int64
		last, cursor int64
		recovered    bool
	}{
		"what was known is old":      {0, &none, 2, 2, true},
		"of what it has seen a part": {1, &first, 2, 2, true},
		"it asks for nothing":        {1, nil, 2, 2, true},
		"the store is ahead":         {5, &none, 5, 2, true},
		"of another history":         {2, &beyond, 2, 2, false},
	} {
		last, cursor, recovered := r.seek(s, c.known, c.after)
		if last != c.last || cursor != c.cursor || recovered != c.recovered {
			t.Errorf("%s: last %d, cursor %d, recovered %t; want %d, %d, %t", name, last, cursor, recovered, c.last, c.cursor, c.recovered)
		}
	}
}

func TestSendsGoOnWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		store := &awayStore{Store: w.store}
		w.Gateway.Store = store
		var log bytes.Buffer
		w.log = slog.New(slog.NewTextHandler(&log, nil))
		bea := newUser("Bea")
		room := w.conversation(bea)
		s, _ := w.join(bea, room)
		w.hears()
		store.away.Store(true)
		time.Sleep(time.Minute)
		w.must(s, "send:message", obj{"conversationId": room, "message": "x", "clientMessageId": "11111111-1111-4111-8111-111111111111"})
		time.Sleep(time.Minute)
		w.must(s, "send:message", obj{"conversationId": room, "message": "y"})
		if len(w.published) != 2 {
			t.Errorf("%d published", len(w.published))
		}
		if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "the store is away") {
			t.Errorf("it is told in %d lines: %s", n, log.String())
		}
		if ack := w.do(s, "mark:read", obj{"messageId": chat.NewID()}); ack["code"] != "unavailable" {
			t.Errorf("mark:read: %v", ack)
		}
		w.disconnected(s)
		w.endBase()
		w.stop()
	})
}

// The store is away for this gateway alone: somebody was removed through another one. The word of it is enough.
func TestARemovedMemberCannotSendWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		store := &awayStore{Store: w.store}
		w.Gateway.Store = store
		bea, sam := newUser("Bea"), newUser("Sam")
		room := w.conversation(bea, sam)
		beas, _ := w.join(bea, room)
		sams, c := w.join(sam, room)
		w.hears()
		store.away.Store(true)
		word := func(revision int64) {
			w.Receive(t.Context(), relay.Envelope{Members: &relay.Members{ConversationID: room, Revision: revision, Removed: sam.ID}})
		}
		word(1) // of a change that had been read
		w.must(sams, "send:message", obj{"conversationId": room, "message": "x"})
		word(2)
		if ack := w.do(sams, "send:message", obj{"conversationId": room, "message": "x"}); ack["code"] != "not_found" {
			t.Errorf("a removed member's send at once: %v", ack)
		}
		time.Sleep(membersMaxAge)
		if ack := w.do(sams, "send:message", obj{"conversationId": room, "message": "x"}); ack["code"] != "not_joined" {
			t.Errorf("a removed member's send: %v", ack)
		}
		if e := fmt.Sprintf("%s", c.events("exception")); strings.Count(e, "join:conversation") != 1 {
			t.Errorf("a removed member was told %s", e)
		}
		w.must(beas, "send:message", obj{"conversationId": room, "message": "x"})
		store.away.Store(false)
		w.disconnected(beas)
		w.disconnected(sams)
		w.endBase()
		w.stop()
	})
}

func TestWhoWasRemovedWhileJoiningStaysOut(t *testing.T) {
	w := newWorld(t).start()
	bea, sam := newUser("Bea"), newUser("Sam")
	room := w.conversation(bea, sam)
	w.join(bea, room)
	s, _ := w.connect(sam)
	before, err := w.store.Conversation(t.Context(), room)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.RemoveMember(t.Context(), room, sam.ID); err != nil {
		t.Fatal(err)
	}
	w.need(w.rooms.get(room), 0)
	eventually(t, "the room has read its members again", func() bool {
		r := w.rooms.get(room)
		r.mu.Lock()
		defer r.mu.Unlock()
		return !r.members[sam.ID]
	})
	// The join read the members before the removal and attaches after it.
	if _, err := w.openRoom(t.Context(), membership{before, time.Now().Add(-time.Second)}, s); err == nil || !strings.Contains(err.Error(), "not yours") {
		t.Errorf("attached: %v", err)
	}
	// Who is back gets in at once, though the room has not heard of it.
	if _, err := w.store.PutMember(t.Context(), room, chat.Member{UserID: sam.ID, Username: "Sam"}); err != nil {
		t.Fatal(err)
	}
	w.must(s, "join:conversation", obj{"conversationId": room})
}

func TestAClientIDFromTheFutureIsRefused(t *testing.T) {
	w := newWorld(t).start()
	bea := newUser("Bea")
	room := w.conversation(bea)
	s, _ := w.join(bea, room)
	ack := w.do(s, "send:message", obj{"conversationId": room, "message": "x", "clientMessageId": "0fffffff-ffff-7000-8000-000000000000"})
	if ack["code"] != "invalid" || ack["field"] != "clientMessageId" {
		t.Errorf("acknowledged %v", ack)
	}
}
