package gateway

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/dozaar/dozaar/pkg/chat"
)

// TestRoomModel lets several conversations' envelopes be lost, repeated and reordered on their way,
// members join, leave, drop and come back at any moment, and the store fail now and then. Whatever
// happens, each stay of a socket in a room is shown exactly the messages after its cursor: in order,
// each once, without a gap, and to the last one once the relay's loss has been noticed.
func TestRoomModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		defer func() { cancel(); <-ended }()

		users := []chat.User{newUser("a"), newUser("b"), newUser("c")}
		rooms := []chat.ID{w.conversation(users...), w.conversation(users...)}
		flaky := &flakyStore{Store: w.store, rate: rapid.Float64Range(0, 0.3).Draw(rt, "store fails")}
		w.Store = flaky
		var inFlight []chat.Message
		stays := map[*session]*stay{}

		steps := rapid.IntRange(10, 60).Draw(rt, "steps")
		for range steps {
			room := rooms[rapid.IntRange(0, len(rooms)-1).Draw(rt, "room")]
			switch rapid.IntRange(0, 9).Draw(rt, "step") {
			case 0, 1, 2, 3: // a message is stored, and may be relayed
				inFlight = append(inFlight, w.put(room, users[rapid.IntRange(0, 2).Draw(rt, "sender")], "x"))
			case 4, 5, 6: // an envelope arrives, is lost, or arrives and comes again
				if len(inFlight) == 0 {
					continue
				}
				i := rapid.IntRange(0, len(inFlight)-1).Draw(rt, "envelope")
				fate := rapid.IntRange(0, 5).Draw(rt, "fate")
				if fate > 0 {
					w.relay(inFlight[i])
				}
				if fate < 5 {
					inFlight = append(inFlight[:i], inFlight[i+1:]...)
				}
			case 7, 8: // somebody comes, or comes back with a cursor
				s, c := w.connect(users[rapid.IntRange(0, 2).Draw(rt, "user")])
				payload := obj{"conversationId": room}
				after := rapid.Int64Range(-1, w.offsets[room]).Draw(rt, "afterSeq")
				if after >= 0 {
					payload["afterSeq"] = after
				}
				ack := w.do(s, "join:conversation", payload)
				if ack["ok"] != true {
					w.disconnected(s) // the store failed: the client tries again, as somebody else here
					continue
				}
				if after < 0 {
					after = int64(ack["lastSeq"].(float64))
				}
				stays[s] = &stay{room: room, conn: c, after: after}
			case 9: // somebody goes
				for s, stay := range stays {
					if rapid.Bool().Draw(rt, "leaves") {
						w.must(s, "leave:conversation", obj{"conversationId": stay.room})
					}
					w.disconnected(s)
					stay.check(rt, w.offsets[stay.room], false)
					delete(stays, s)
					break
				}
			}
			for _, stay := range stays {
				stay.check(rt, w.offsets[stay.room], false)
			}
		}
		w.Resync(ctx, "a count jumped")
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(200 * time.Microsecond) {
			missing := false
			for _, stay := range stays {
				missing = missing || int64(len(stay.conn.seqs())) < w.offsets[stay.room]-stay.after
			}
			if !missing {
				break
			}
			if time.Now().After(end) {
				rt.Log("not everything was shown within 20 s of the resync")
				break
			}
		}
		for _, stay := range stays {
			stay.check(rt, w.offsets[stay.room], true)
		}
	})
}

// stay is one socket's time in one room.
type stay struct {
	room  chat.ID
	conn  *fakeConn
	after int64
}

func (s *stay) check(t *rapid.T, head int64, complete bool) {
	seqs := s.conn.seqs()
	for i, seq := range seqs {
		if seq != s.after+int64(i)+1 {
			t.Fatalf("joined after %d and was shown %v", s.after, seqs)
		}
	}
	if complete && s.after+int64(len(seqs)) != head {
		t.Fatalf("joined after %d, the head is %d, and was shown %v", s.after, head, seqs)
	}
}

// flakyStore fails some reads.
type flakyStore struct {
	Store
	rate float64
}

func (f *flakyStore) fails() error {
	if rand.Float64() < f.rate {
		return fmt.Errorf("%w: the store is away", chat.ErrUnavailable)
	}
	return nil
}

func (f *flakyStore) Messages(ctx context.Context, c chat.ID, after int64, limit int) ([]chat.Message, error) {
	if err := f.fails(); err != nil {
		return nil, err
	}
	return f.Store.Messages(ctx, c, after, limit)
}

func (f *flakyStore) Conversation(ctx context.Context, id chat.ID) (chat.Conversation, error) {
	if err := f.fails(); err != nil {
		return chat.Conversation{}, err
	}
	return f.Store.Conversation(ctx, id)
}

func (f *flakyStore) Heads(ctx context.Context, ids []chat.ID) (map[chat.ID]chat.Head, error) {
	if err := f.fails(); err != nil {
		return nil, err
	}
	return f.Store.Heads(ctx, ids)
}
