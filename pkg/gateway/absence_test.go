package gateway

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/relay"
)

// awayStore is a store that cannot be reached while it is away: it refuses, or hangs, and does neither for the room
// elsewhere.
type awayStore struct {
	Store
	away, hangs atomic.Bool
	elsewhere   chat.ID
}

func (s *awayStore) reach(ctx context.Context, id chat.ID) error {
	switch {
	case id == s.elsewhere:
		return nil
	case s.hangs.Load():
		<-ctx.Done()
		return fmt.Errorf("%w: %w", chat.ErrUnavailable, ctx.Err())
	case s.away.Load():
		return fmt.Errorf("%w: away", chat.ErrUnavailable)
	}
	return nil
}

func (s *awayStore) Conversation(ctx context.Context, id chat.ID) (chat.Conversation, error) {
	if err := s.reach(ctx, id); err != nil {
		return chat.Conversation{}, err
	}
	return s.Store.Conversation(ctx, id)
}

func (s *awayStore) StoredByID(ctx context.Context, ids []chat.ID) (map[chat.ID]chat.StoredID, error) {
	if err := s.reach(ctx, ids[0]); err != nil {
		return nil, err
	}
	return s.Store.StoredByID(ctx, ids)
}

// A store that hangs costs those who send at that moment one wait, and nobody after them a second.
func TestSendsGoOnWhileTheStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		store := &awayStore{Store: w.store}
		w.Gateway.Store = store
		bea, sam := newUser("Bea"), newUser("Sam")
		room, other := w.conversation(bea, sam), w.conversation(bea, sam)
		store.elsewhere = other
		var devices []*session
		for range 3 {
			s, _ := w.join(bea, room)
			devices = append(devices, s)
		}
		late, _ := w.join(sam, other)
		var ids atomic.Int64 // a UUIDv7 would have the clock outside of this bubble
		send := func(s *session, to chat.ID) (took time.Duration, ack map[string]any) {
			start, id := time.Now(), fmt.Sprintf("11111111-1111-4111-8111-%012d", ids.Add(1))
			ack = w.do(s, "send:message", obj{"conversationId": to, "message": "x", "clientMessageId": id})
			return time.Since(start), ack
		}
		w.hears()
		store.hangs.Store(true)
		time.Sleep(time.Minute) // until the members are old
		var sends sync.WaitGroup
		for i, s := range devices {
			sends.Go(func() {
				time.Sleep(time.Duration(i) * 3 * time.Second)
				if took, ack := send(s, room); ack["ok"] != true || took > storePatience-time.Duration(i)*3*time.Second+2*awayPatience {
					t.Errorf("send %d: %v after %s", i, ack, took)
				}
			})
		}
		sends.Wait()
		for range 3 {
			if took, ack := send(devices[0], room); ack["ok"] != true || took > 2*awayPatience {
				t.Errorf("later: %v after %s", ack, took)
			}
			time.Sleep(20 * time.Second)
		}
		// Where the store answers, nothing is allowed on what was known.
		if _, err := w.store.RemoveMember(t.Context(), other, sam.ID); err != nil {
			t.Fatal(err)
		}
		if _, ack := send(late, other); ack["code"] != "not_found" {
			t.Errorf("who was removed from a room elsewhere: %v", ack)
		}
		if _, err := w.store.RemoveMember(t.Context(), room, bea.ID); err != nil {
			t.Fatal(err)
		}
		store.hangs.Store(false)
		time.Sleep(storeProbe + storePatience)
		if here, patience := w.absence.look(); here.Err() != nil || patience != storePatience {
			t.Error("it is still thought to be away")
		}
		if _, ack := send(devices[0], room); ack["code"] != "not_found" {
			t.Errorf("who was removed meanwhile: %v", ack)
		}
		w.endBase()
		w.stop()
		for _, s := range append(devices, late) {
			w.disconnected(s)
		}
	})
}

// hears has the relay say every half second that all was handed on, until the gateway stops.
func (w *world) hears() {
	go func() {
		often := time.NewTicker(500 * time.Millisecond)
		defer often.Stop()
		for {
			select {
			case <-w.base.Done():
				return
			case now := <-often.C:
				w.Heard(w.base, now)
			}
		}
	}()
}

// Of whoever is removed while neither the store nor the relay can be read, nobody tells this gateway.
func TestSendsDoNotGoOnWhereNeitherStoreNorRelayIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		store := &awayStore{Store: w.store}
		w.Gateway.Store = store
		bea := newUser("Bea")
		room := w.conversation(bea)
		s, _ := w.join(bea, room)
		send := func(when string, want chat.Code) {
			t.Helper()
			ack := w.do(s, "send:message", obj{"conversationId": room, "message": "x"})
			if code, _ := ack["code"].(string); code != string(want) {
				t.Errorf("%s: %v, want the code %q", when, ack, want)
			}
		}
		store.away.Store(true)
		w.Heard(t.Context(), time.Now())
		time.Sleep(membersMaxAge - time.Millisecond)
		send("within five seconds", "")
		time.Sleep(time.Millisecond)
		send("nothing is heard for five seconds", chat.CodeUnavailable)
		w.Heard(t.Context(), time.Now())
		send("all was heard", "")
		w.Resync(t.Context(), relay.ReasonSilence)
		w.Resync(t.Context(), relay.ReasonPause)
		time.Sleep(membersMaxAge)
		w.Heard(t.Context(), time.Now())
		send("a sender fell silent, and all was late", "")
		w.Resync(t.Context(), relay.ReasonReconnect)
		w.Heard(t.Context(), time.Now())
		send("all is heard again, but not what came between", chat.CodeUnavailable)
		store.away.Store(false)
		send("the store is back", "")
		w.endBase()
		w.stop()
		w.disconnected(s)
	})
}

// A client that leaves while its message is on the way to Kafka is no failure of ours.
func TestAClientThatLeavesIsNoFailure(t *testing.T) {
	w := newWorld(t)
	var log bytes.Buffer
	w.log = slog.New(slog.NewTextHandler(&log, nil))
	bea := newUser("Bea")
	room := w.conversation(bea)
	s, _ := w.join(bea, room)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	w.fault = fmt.Errorf("publish: %w: %w", chat.ErrUnavailable, ctx.Err())
	counted := func(code string) float64 {
		var m dto.Metric
		if err := w.metrics.events.WithLabelValues("send:message", code).Write(&m); err != nil {
			t.Fatal(err)
		}
		return m.GetCounter().GetValue()
	}
	payload := fmt.Appendf(nil, `{"conversationId":%q,"message":"x"}`, room)
	w.event(ctx, s, "send:message", payload, func(...any) {})
	if n := counted("cancelled"); n != 1 || strings.Contains(log.String(), "WARN") {
		t.Errorf("%v counted as cancelled; log: %s", n, log.String())
	}
	w.event(t.Context(), s, "send:message", payload, func(...any) {})
	if n := counted("unavailable"); n != 1 || !strings.Contains(log.String(), "WARN") {
		t.Errorf("with the client there: %v counted as unavailable; log: %s", n, log.String())
	}
	w.event(t.Context(), s, "send:message", payload, func(...any) {})
	if n := strings.Count(log.String(), "events fail"); n != 2 { // the log itself holds back what repeats, and says how often it was
		t.Errorf("two failures are %d records: %s", n, log.String())
	}
	w.disconnected(s)
	w.endBase()
	w.stop()
}
