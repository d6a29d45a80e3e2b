package deliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
)

// slowStore takes its time for every call, and for one conversation's reads a very long one.
type slowStore struct {
	*outside
	takes, hangs time.Duration
	hanging      map[chat.ID]bool

	mu      sync.Mutex // guards what follows
	atOnce  int        // calls under way for conversations that do not hang
	mostYet int
}

func (s *slowStore) wait(ctx context.Context, conversation chat.ID) error {
	takes := s.takes
	if s.hanging[conversation] {
		takes = s.hangs
	} else {
		s.begin(+1)
		defer s.begin(-1)
	}
	select {
	case <-time.After(takes):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *slowStore) begin(change int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.atOnce += change
	s.mostYet = max(s.mostYet, s.atOnce)
}

func (s *slowStore) Heads(ctx context.Context, ids []chat.ID) (map[chat.ID]chat.Head, error) {
	if err := s.wait(ctx, ids[0]); err != nil {
		return nil, err
	}
	return s.Memory.Heads(ctx, ids)
}

func (s *slowStore) StoredByID(ctx context.Context, ids []chat.ID) (map[chat.ID]chat.StoredID, error) {
	time.Sleep(s.takes)
	return s.Memory.StoredByID(ctx, ids)
}

func (s *slowStore) PutMessages(ctx context.Context, m []chat.StoredMessage) error {
	time.Sleep(s.takes)
	return s.Memory.PutMessages(ctx, m)
}

func (s *slowStore) PutHeads(ctx context.Context, h []chat.Head) error {
	time.Sleep(s.takes)
	return s.Memory.PutHeads(ctx, h)
}

// slow are surroundings in which each call takes 5 ms, and reads of some conversations ten seconds.
func slow(t *testing.T, hanging ...chat.ID) (*slowStore, Config) {
	t.Helper()
	s := &slowStore{outside: newOutside(t), takes: 5 * time.Millisecond, hangs: 10 * time.Second, hanging: map[chat.ID]bool{}}
	for _, id := range hanging {
		s.hanging[id] = true
	}
	return s, Config{Store: s, Owners: s, Sender: s, DeadLetters: s, Publisher: s, Decoder: s, Logger: slog.New(slog.DiscardHandler), Registerer: s.registry}
}

// A cold start: conversations of which nothing is in memory, with one message each, 2,000 a second, which is more than a
// hundred thousand in a minute. Reads run beside each other, bounded; one conversation whose reads hang is
// parked, and nothing waits for it.
func TestAColdStartDoesNotCrawl(t *testing.T) {
	const conversations = 10_000
	synctest.Test(t, func(t *testing.T) {
		hanging := simID('c', 7)
		s, cfg := slow(t, hanging)
		w := New(cfg).Worker(schemas.TopicMessages, 0)
		var batches [][]kafka.Record
		for i := range conversations {
			if i%500 == 0 {
				batches = append(batches, nil)
			}
			batch := &batches[len(batches)-1]
			*batch = append(*batch, s.record(int64(i), says(i, simID('c', i), ann, 0, "hello")))
		}
		ctx, cancel := context.WithCancel(t.Context())
		from := assign(cancel, batches...)
		ended := make(chan error)
		go func() { ended <- w.Run(ctx, from) }()

		time.Sleep(conversations / 2000 * time.Second)
		synctest.Wait()
		if done := from.count(); done != conversations-1 {
			t.Errorf("%d of %d are done while one hangs, want all others", done, conversations)
		}
		if s.count("dozaar_deliver_parked_conversations", "") != 1 {
			t.Errorf("%v conversations are parked, want 1", s.count("dozaar_deliver_parked_conversations", ""))
		}
		if s.mostYet < 256 || s.mostYet > 512 {
			t.Errorf("up to %d reads of heads beside each other, want some hundreds and 512 at most", s.mostYet)
		}
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if done := from.count(); done != conversations {
			t.Errorf("%d are done in the end", done)
		}
	})
}

// Many hang, more than there are slots: the others are done all the same.
func TestTheParkedKeepNobodyFromWorking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const conversations, every = 3000, 3
		var hanging []chat.ID
		for i := 0; i < conversations; i += every {
			hanging = append(hanging, simID('c', i))
		}
		s, cfg := slow(t, hanging...)
		cfg.Slices = 64
		w := New(cfg).Worker(schemas.TopicMessages, 0)
		var batch []kafka.Record
		for i := range 2 * conversations {
			batch = append(batch, s.record(int64(i), says(i, simID('c', i%conversations), ann, 0, "hello")))
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		from := assign(cancel, batch)
		ended := make(chan error)
		go func() { ended <- w.Run(ctx, from) }()
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if want := 2 * (conversations - len(hanging)); from.count() != want {
			t.Errorf("%d are done, want %d, those that do not hang", from.count(), want)
		}
		<-ended
	})
}

// A conversation's records are delivered in their order, one slice at a time, with all that waits in the next one;
// others are done meanwhile, and what is done says so.
func TestEachConversationGoesItsOwnWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck, quick := simID('c', 1), simID('c', 2)
		s, cfg := slow(t, stuck)
		s.byConversation[stuck], s.byConversation[quick] = []string{"g1"}, []string{"g1"}
		cfg.Slice = 4
		w := New(cfg).Worker(schemas.TopicMessages, 0)
		var batches [][]kafka.Record
		for i := range 20 {
			batches = append(batches, []kafka.Record{
				s.record(int64(2*i), says(2*i, stuck, ann, 0, fmt.Sprint(i))),
				s.record(int64(2*i+1), says(2*i+1, quick, bob, 0, fmt.Sprint(i))),
			})
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		from := assign(cancel, batches...)
		ended := make(chan error)
		go func() { ended <- w.Run(ctx, from) }()
		time.Sleep(time.Second)
		synctest.Wait()
		for offset := range int64(40) {
			if open := from.isOpen(offset); open != (offset%2 == 0) {
				t.Errorf("record %d: done %t", offset, !open)
			}
		}
		<-ended
		told := map[chat.ID][]int64{}
		for _, a := range s.sent {
			m := a.Envelope.Message
			told[m.ConversationID] = append(told[m.ConversationID], m.Seq)
			if m.Text != fmt.Sprint(m.Seq-1) {
				t.Errorf("number %d is %q", m.Seq, m.Text)
			}
		}
		for conversation, seqs := range told {
			if len(seqs) != 20 || !slices.IsSorted(seqs) {
				t.Errorf("conversation %v was told %v", conversation, seqs)
			}
		}
		if len(told) != 2 {
			t.Errorf("told of %v", slices.Collect(maps.Keys(told)))
		}
		// One record went alone, when nothing else had come; then four at a time.
		if n := s.count("dozaar_deliver_batch_records", schemas.TopicMessages); n > 2*6 {
			t.Errorf("%v slices for 2 conversations of 20 messages, want few", n)
		}
	})
}

// busyStore does one thing after the other. Who has waited for too long is answered by an error, and was worked for all the same.
type busyStore struct {
	*outside
	takes, patience time.Duration
	away            bool // all fail at once

	mu      sync.Mutex // guards what follows
	free    time.Time  // when it has done all that it was asked
	asked   int        // calls under way
	mostYet int
}

var errBusy = errors.New("no answer in time")

func (s *busyStore) work() error {
	s.mu.Lock()
	s.asked++
	s.mostYet = max(s.mostYet, s.asked)
	if now := time.Now(); s.free.Before(now) {
		s.free = now
	}
	if s.away {
		s.free = time.Now()
	} else {
		s.free = s.free.Add(s.takes)
	}
	wait, away := time.Until(s.free), s.away
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked--
	}()
	time.Sleep(min(wait, s.patience))
	if away || wait > s.patience {
		return errBusy
	}
	return nil
}

func (s *busyStore) Heads(ctx context.Context, ids []chat.ID) (map[chat.ID]chat.Head, error) {
	if err := s.work(); err != nil {
		return nil, err
	}
	return s.Memory.Heads(ctx, ids)
}

func (s *busyStore) PutMessages(ctx context.Context, m []chat.StoredMessage) error {
	if err := s.work(); err != nil {
		return err
	}
	return s.Memory.PutMessages(ctx, m)
}

func (s *busyStore) PutInboxes(ctx context.Context, h []chat.Head) error {
	if err := s.work(); err != nil {
		return err
	}
	return s.Memory.PutInboxes(ctx, h)
}

const fewSlices = 64

// deliverAll gives a worker a message of each of so many conversations.
func deliverAll(t *testing.T, o *outside, store Store, owners Owners, conversations int) *assigned {
	t.Helper()
	cfg := Config{Store: store, Owners: owners, Sender: o, DeadLetters: o, Publisher: o, Decoder: o, Registerer: o.registry, Slices: fewSlices}
	var batch []kafka.Record
	for i := range conversations {
		batch = append(batch, o.record(int64(i), says(i, simID('c', i), ann, 0, "hello")))
	}
	ctx, cancel := context.WithCancel(t.Context())
	from := assign(cancel, batch)
	ended := make(chan error)
	go func() { ended <- New(cfg).Worker(schemas.TopicMessages, 0).Run(ctx, from) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return from
}

// A store that has more to do than it can is not given ever more until every answer comes too late.
func TestAnOverloadedStoreGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const conversations = 2500
		s := &busyStore{outside: newOutside(t), takes: 4 * time.Millisecond, patience: 6 * time.Second}
		from := deliverAll(t, s.outside, s, s, conversations)
		time.Sleep(conversations*3*s.takes + 5*time.Second)
		synctest.Wait()
		if done := from.count(); done != conversations {
			t.Errorf("%d of %d are done", done, conversations)
		}
		if most := 2 * fewSlices * 2; s.mostYet > most { // each reads two things
			t.Errorf("up to %d calls beside each other, want at most %d", s.mostYet, most)
		}
	})
}

// A store that was away is not asked by all who have waited in the same moment.
func TestAStoreThatIsBackIsNotOverrun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const conversations = 2500
		s := &busyStore{outside: newOutside(t), takes: 4 * time.Millisecond, patience: 6 * time.Second, away: true}
		from := deliverAll(t, s.outside, s, s, conversations)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if parked := s.count("dozaar_deliver_parked_conversations", ""); parked != conversations {
			t.Errorf("%v are parked, want all", parked)
		}
		s.mu.Lock()
		s.away, s.mostYet = false, 0
		s.mu.Unlock()
		time.Sleep(conversations*3*s.takes + 10*time.Second)
		synctest.Wait()
		if done := from.count(); done != conversations {
			t.Errorf("%d of %d are done", done, conversations)
		}
		if s.mostYet > 2*fewSlices {
			t.Errorf("up to %d calls beside each other, want at most %d", s.mostYet, 2*fewSlices)
		}
	})
}

// hungRedis does not answer.
type hungRedis struct{}

func (hungRedis) Owners(ctx context.Context, _, _ []chat.ID) (byUser, byConversation map[chat.ID][]string, err error) {
	<-ctx.Done()
	return nil, nil, ctx.Err()
}

// A Redis that hangs makes telling late, and storing not.
func TestWhoWaitsForRedisHasNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const conversations = 2500
		s, _ := slow(t)
		deliverAll(t, s.outside, s, hungRedis{}, conversations)
		time.Sleep(time.Second) // of 64 slots for four seconds each
		synctest.Wait()
		if n := s.count("dozaar_deliver_messages_numbered_total", ""); n != conversations {
			t.Errorf("%v of %d are stored", n, conversations)
		}
	})
}

// What waits for a slot when the partition is taken away leaves no slot taken.
func TestSlotsAreGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var parked atomic.Int64
		s := newSlots(1, time.Second, func(change int) { parked.Add(int64(change)) })
		mustWait := func(turn *turn) {
			t.Helper()
			if err := turn.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		first, second, third, fourth := s.ask(), s.ask(), s.ask(), s.ask()
		mustWait(first)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := second.wait(gone); !errors.Is(err, context.Canceled) {
			t.Errorf("waiting with a context that has ended: %v", err)
		}
		second.end()
		first.end()
		mustWait(third)
		time.Sleep(time.Second) // it is parked, since the first was done in time
		mustWait(fourth)
		if parked.Load() != 1 {
			t.Fatal(parked.Load(), "parked")
		}
		fourth.failed()
		mustWait(s.ask())
		if err := fourth.retry(t.Context()); err != nil {
			t.Fatal(err)
		}
		third.failed()
		if err := third.retry(gone); !errors.Is(err, context.Canceled) {
			t.Errorf("trying again with a context that has ended: %v", err)
		}
		fourth.end()
		third.end()
		if s.working != 1 || s.again != 0 || parked.Load() != 0 {
			t.Errorf("%d are at work, %d try again, %d are parked; want 1, 0, 0", s.working, s.again, parked.Load())
		}
	})
}
