package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/redis/redistest"
)

func TestMain(m *testing.M) { redistest.VerifyNoLeaks(m) }

// inbox is a gateway's handler that remembers.
type inbox struct {
	mu       sync.Mutex
	got      []Envelope
	resyncs  []string
	unheard  int
	until    time.Time
	progress chan struct{}
}

func newInbox() *inbox { return &inbox{progress: make(chan struct{}, 1)} }

func (b *inbox) Receive(_ context.Context, e Envelope) {
	b.mu.Lock()
	b.got = append(b.got, e)
	b.mu.Unlock()
	b.moved()
}

func (b *inbox) Unheard(context.Context) {
	b.mu.Lock()
	b.unheard++
	b.mu.Unlock()
	b.moved()
}

func (b *inbox) Heard(_ context.Context, until time.Time) {
	b.mu.Lock()
	b.until = until
	b.mu.Unlock()
	b.moved()
}

func (b *inbox) unheards() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.unheard
}

func (b *inbox) Resync(_ context.Context, reason string) {
	b.mu.Lock()
	b.resyncs = append(b.resyncs, reason)
	b.mu.Unlock()
	b.moved()
}

func (b *inbox) moved() {
	select {
	case b.progress <- struct{}{}:
	default:
	}
}

// wait waits until the condition holds.
func (b *inbox) wait(t *testing.T, what string, condition func(got []Envelope, resyncs []string) bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		b.mu.Lock()
		ok := condition(b.got, b.resyncs)
		state := fmt.Sprintf("%d envelopes, resyncs %v", len(b.got), b.resyncs)
		b.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-b.progress:
		case <-deadline:
			t.Fatalf("waited in vain for %s: %s", what, state)
		}
	}
}

func received(n int) func([]Envelope, []string) bool {
	return func(got []Envelope, _ []string) bool { return len(got) >= n }
}

func resynced(reason string) func([]Envelope, []string) bool {
	return func(_ []Envelope, resyncs []string) bool { return slices.Contains(resyncs, reason) }
}

// quiet checks that there was no resync.
func (b *inbox) quiet(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.resyncs) > 0 {
		t.Errorf("resyncs: %v", b.resyncs)
	}
}

// started is a part that runs until it is stopped.
type started struct{ stop func() }

func start(t *testing.T, run func(context.Context) error) started {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return started{stop}
}

func gateway(t *testing.T, client redis.UniversalClient, name string) (*inbox, *Receiver, started) {
	t.Helper()
	b := newInbox()
	r := NewReceiver(ReceiverConfig{
		Redis: client, Instance: name,
		Block: 50 * time.Millisecond, Register: 100 * time.Millisecond, Silence: 600 * time.Millisecond,
	}, b)
	s := start(t, r.Run)
	<-r.Ready()
	return b, r, s
}

func deliver(t *testing.T, client redis.UniversalClient) (*Sender, started) {
	s := NewSender(SenderConfig{Redis: client, Name: "deliver", Heartbeat: 50 * time.Millisecond})
	return s, start(t, s.Run)
}

func message(n int) Envelope {
	return Envelope{Message: &Message{Message: chat.Message{Seq: int64(n), Text: "text", CreatedAt: time.UnixMilli(0).UTC()}}}
}

func to(gateway string, envelopes ...Envelope) []Addressed {
	var out []Addressed
	for _, e := range envelopes {
		out = append(out, Addressed{gateway, e})
	}
	return out
}

// on runs a test on both kinds of Redis.
func on(t *testing.T, test func(t *testing.T, client redis.UniversalClient)) {
	t.Parallel()
	t.Run("miniredis", func(t *testing.T) { test(t, redistest.Client(t, redistest.StartMini(t).Addr())) })
	t.Run("redis-server", func(t *testing.T) { test(t, redistest.Client(t, redistest.StartServer(t).Addr())) })
	t.Run("redis cluster", func(t *testing.T) { test(t, redistest.ClusterClient(t, redistest.StartClusterOfOne(t).Addr())) })
}

func send(t *testing.T, s *Sender, envelopes []Addressed) {
	t.Helper()
	if err := s.Send(t.Context(), envelopes); err != nil {
		t.Fatal(err)
	}
}

func TestEnvelopesArriveInOrder(t *testing.T) {
	on(t, func(t *testing.T, client redis.UniversalClient) {
		a, _, _ := gateway(t, client, "a")
		b, _, _ := gateway(t, client, "b")
		s, _ := deliver(t, client)
		const n, callers = 50, 4
		var g errgroup.Group
		for caller := range callers {
			g.Go(func() error {
				for i := range n {
					e := message(i)
					e.Message.Sender.ID = id(byte(caller))
					if err := s.Send(t.Context(), append(to("a", e, everything()[2]), to("b", e)...)); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		a.wait(t, "all", received(2*n*callers))
		b.wait(t, "all", received(n*callers))
		for _, box := range []*inbox{a, b} {
			next := map[chat.ID]int64{}
			for _, e := range box.got {
				if e.Message == nil {
					continue
				}
				if e.Message.Seq != next[e.Message.Sender.ID] {
					t.Fatalf("caller %v: %d, want %d", e.Message.Sender.ID, e.Message.Seq, next[e.Message.Sender.ID])
				}
				next[e.Message.Sender.ID]++
			}
			box.quiet(t)
		}
	})
}

// What is appended between registration and the first read is not missed.
func TestNothingIsMissedAtTheStart(t *testing.T) {
	on(t, func(t *testing.T, client redis.UniversalClient) {
		box := newInbox()
		r := NewReceiver(ReceiverConfig{Redis: client, Instance: "a", Block: 50 * time.Millisecond}, box)
		if _, err := r.registerOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		s, _ := deliver(t, client)
		send(t, s, to("a", message(1), message(2)))
		start(t, r.Run)
		box.wait(t, "both", received(2))
		box.quiet(t)
	})
}

func TestEveryKeyEnds(t *testing.T) {
	on(t, func(t *testing.T, client redis.UniversalClient) {
		gateway(t, client, "a")
		s, _ := deliver(t, client)
		send(t, s, to("a", message(1)))
		for pattern, n := range redistest.CheckKeys(t, client) {
			if !strings.HasPrefix(pattern, "presence:") && n == 0 {
				t.Errorf("there is no %s", pattern)
			}
		}
	})
}

func TestAGatewayLeavesNothingBehind(t *testing.T) {
	on(t, func(t *testing.T, client redis.UniversalClient) {
		_, _, run := gateway(t, client, "a")
		s, sending := deliver(t, client)
		send(t, s, to("a", message(1)))
		run.stop()
		send(t, s, to("a", message(2))) // no error: it is gone
		sending.stop()
		if n := client.Exists(t.Context(), "relay:a").Val() + client.Exists(t.Context(), gatewaysKey).Val(); n != 0 {
			t.Errorf("%d keys left behind", n)
		}
	})
}

// A lost last envelope is noticed by the heartbeat though nobody sends another.
func TestALostLastEnvelopeIsNoticed(t *testing.T) {
	on(t, func(t *testing.T, client redis.UniversalClient) {
		box, _, _ := gateway(t, client, "a")
		s, _ := deliver(t, client)
		send(t, s, to("a", message(1)))
		box.wait(t, "the first", received(1))
		s.turn <- struct{}{} // an append that fails is counted all the same
		s.entry("a", [][]byte{nil})
		<-s.turn
		box.wait(t, "a resync", resynced(ReasonJump))
	})
}

// What could not even be addressed is noticed by every gateway.
func TestLostIsNoticed(t *testing.T) {
	on(t, func(t *testing.T, client redis.UniversalClient) {
		box, _, _ := gateway(t, client, "a")
		s, _ := deliver(t, client)
		send(t, s, to("a", message(1)))
		box.wait(t, "the first", received(1))
		s.Lost()
		box.wait(t, "a resync", resynced(ReasonJump))
	})
}

func TestATrimmedStreamIsNoticed(t *testing.T) {
	client := redistest.Client(t, redistest.StartMini(t).Addr())
	box := newInbox()
	r := NewReceiver(ReceiverConfig{Redis: client, Instance: "a", Block: 20 * time.Millisecond}, box)
	if _, err := r.registerOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := NewSender(SenderConfig{Redis: client, Name: "deliver", MaxEntries: 5})
	for i := range 20 {
		send(t, s, to("a", message(i)))
	}
	start(t, r.Run)
	box.wait(t, "a resync", resynced(ReasonJump))
	if n := client.XLen(t.Context(), "relay:a").Val(); n > 6 {
		t.Errorf("%d entries are kept", n)
	}
}

// It is resynced for once, and that somebody is not heard is said for as long as it is so.
func TestASilentSenderIsNoticedOnce(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t, redistest.StartMini(t).Addr())
	box, _, _ := gateway(t, client, "a")
	s := NewSender(SenderConfig{Redis: client, Name: "deliver"}) // dies: its Run does not run
	send(t, s, to("a", message(1)))
	box.wait(t, "a resync", resynced(ReasonSilence))
	time.Sleep(time.Second)
	box.wait(t, "being told twice that somebody is not heard", func([]Envelope, []string) bool { return box.unheard > 1 })
	if !slices.Equal(box.resyncs, []string{ReasonSilence}) {
		t.Errorf("resyncs %v", box.resyncs)
	}
	send(t, s, to("a", message(2)))
	box.wait(t, "the second message", received(2))
	before := box.unheards()
	time.Sleep(300 * time.Millisecond) // less than the silence that makes it unheard again
	if box.unheards() != before {
		t.Error("who is heard again is still said not to be")
	}
}

// hung is a handler that stands still at the first envelope, as a process that is stopped does, and notes the order of what it is told.
type hung struct {
	*inbox
	once  sync.Once
	order []string
}

func (h *hung) Receive(ctx context.Context, e Envelope) {
	h.once.Do(func() { time.Sleep(300 * time.Millisecond) })
	h.mu.Lock()
	if e.Typing != nil {
		h.order = append(h.order, fmt.Sprint("typing ", e.Typing.Typing))
	} else {
		h.order = append(h.order, fmt.Sprint(e.Message.Message.Seq, " to ", len(e.Message.Notify)))
	}
	h.mu.Unlock()
	h.inbox.Receive(ctx, e)
}

func (h *hung) Resync(ctx context.Context, reason string) {
	h.mu.Lock()
	h.order = append(h.order, reason)
	h.mu.Unlock()
	h.inbox.Resync(ctx, reason)
}

// What waited while reading stood still comes after a resync, notifies nobody and shows nobody typing; what comes later does again.
func TestAfterAPauseTheResyncComesFirst(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t, redistest.StartMini(t).Addr())
	h := &hung{inbox: newInbox()}
	r := NewReceiver(ReceiverConfig{Redis: client, Instance: "a", Block: 20 * time.Millisecond, Silence: 200 * time.Millisecond}, h)
	if !r.registerFirst(t.Context()) {
		t.Fatal("not registered")
	}
	s := NewSender(SenderConfig{Redis: client, Name: "typing", Ephemeral: true})
	notifying := func(n int) Envelope {
		e := message(n)
		e.Message.Notify = []chat.ID{id(1)}
		return e
	}
	send(t, s, to("a", notifying(1)))
	typing := func(on bool) Envelope { return Envelope{Typing: &Typing{UserID: id(1), Typing: on}} }
	send(t, s, to("a", typing(true)))
	send(t, s, to("a", notifying(2)))
	send(t, s, to("a", typing(false)))
	start(t, r.Run)
	h.wait(t, "both, and the end of typing", received(3))
	time.Sleep(100 * time.Millisecond) // a read finds the end
	send(t, s, to("a", notifying(3)))
	send(t, s, to("a", typing(true)))
	h.wait(t, "the third, and typing", received(5))
	if want := []string{"1 to 1", ReasonPause, "2 to 0", "typing false", "3 to 1", "typing true"}; !slices.Equal(h.order, want) {
		t.Errorf("it was told %q, want %q", h.order, want)
	}
}

// One that said goodbye may be silent, and one that promised nothing.
func TestSilenceAfterAGoodbyeIsNoLoss(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t, redistest.StartMini(t).Addr())
	box, _, _ := gateway(t, client, "a")
	s, run := deliver(t, client)
	send(t, s, to("a", message(1)))
	typing := NewSender(SenderConfig{Redis: client, Name: "gateway-b", Ephemeral: true})
	typingRun := start(t, typing.Run)
	send(t, typing, to("a", everything()[3]))
	box.wait(t, "both", received(2))
	run.stop()
	typingRun.stop()
	time.Sleep(time.Second)
	box.quiet(t)
	send(t, s, to("a", message(2))) // counted anew
	box.wait(t, "what comes after", received(3))
	if slices.Contains(box.resyncs, ReasonJump) {
		t.Errorf("resyncs %v", box.resyncs)
	}
}

// A stream that vanishes is made again, and the gateway is told; so it is when only the registration
// is lost.
func TestAVanishedStreamIsNoticed(t *testing.T) {
	on(t, func(t *testing.T, client redis.UniversalClient) {
		box, r, _ := gateway(t, client, "a")
		s, _ := deliver(t, client)
		send(t, s, to("a", message(1)))
		box.wait(t, "the first", received(1))
		client.Del(t.Context(), r.stream)
		box.wait(t, "a resync", resynced(ReasonVanished))
		send(t, s, to("a", message(2)))
		box.wait(t, "the next", received(2))
		client.ZRem(t.Context(), gatewaysKey, "a")
		box.wait(t, "a resync", resynced(ReasonForgotten))
		if _, err := client.ZScore(t.Context(), gatewaysKey, "a").Result(); err != nil {
			t.Errorf("not registered again: %v", err)
		}
	})
}

// After a failover to a server whose clock is behind, new entries have older ids than the last read.
func TestAClockThatIsBehind(t *testing.T) {
	t.Parallel()
	m := redistest.StartMini(t)
	client := redistest.Client(t, m.Addr())
	box, r, _ := gateway(t, client, "a")
	s, _ := deliver(t, client)
	send(t, s, to("a", message(1)))
	box.wait(t, "the first", received(1))
	m.Advance(-time.Minute)
	// The promoted server has none of what was appended in the last minute.
	pipe := client.TxPipeline()
	pipe.Del(t.Context(), r.stream)
	pipe.XAdd(t.Context(), &redis.XAddArgs{Stream: r.stream, Values: []string{"h", "1"}})
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	send(t, s, to("a", message(2)))
	box.wait(t, "what came after", received(2))
	box.wait(t, "a resync", resynced(ReasonVanished))
}

func TestRedisRestarts(t *testing.T) {
	t.Parallel()
	server := redistest.StartServer(t)
	client := redistest.Client(t, server.Addr())
	box, _, _ := gateway(t, client, "a")
	s, _ := deliver(t, client)
	send(t, s, to("a", message(1)))
	box.wait(t, "the first", received(1))
	server.Kill()
	killed := time.Now()
	if err := s.Send(t.Context(), to("a", message(2))); !errors.Is(err, chat.ErrUnavailable) {
		t.Errorf("Send without Redis: %v", err)
	}
	heard := func([]Envelope, []string) bool { return box.until.After(killed) }
	box.mu.Lock()
	if heard(nil, nil) {
		t.Error("without Redis all is said to be heard")
	}
	box.mu.Unlock()
	server.Restart()
	box.wait(t, "all to be heard", heard)
	box.wait(t, "a resync", resynced(ReasonVanished))
	// Whether the reader saw an error, or its client dialled again in time, is chance.
	box.wait(t, "a resync for what was lost", resynced(ReasonJump))
	send(t, s, to("a", message(3)))
	box.wait(t, "what comes after", func(got []Envelope, _ []string) bool {
		return len(got) > 1 && got[len(got)-1].Message.Seq == 3
	})
}

// Engines may come up in any order.
func TestRedisComesLate(t *testing.T) {
	t.Parallel()
	server := redistest.StartServer(t)
	server.Kill()
	client := redistest.Client(t, server.Addr())
	box := newInbox()
	r := NewReceiver(ReceiverConfig{Redis: client, Instance: "a", Block: 50 * time.Millisecond}, box)
	start(t, r.Run)
	s, _ := deliver(t, client)
	select {
	case <-r.Ready():
		t.Error("ready without Redis")
	case <-time.After(200 * time.Millisecond):
	}
	server.Restart()
	<-r.Ready()
	send(t, s, to("a", message(1)))
	box.wait(t, "the first", received(1))
}

// An entry of a newer version is told of, and does not stop what follows.
func TestAnEntryThatCannotBeRead(t *testing.T) {
	client := redistest.Client(t, redistest.StartMini(t).Addr())
	box, r, _ := gateway(t, client, "a")
	s, _ := deliver(t, client)
	client.XAdd(t.Context(), &redis.XAddArgs{Stream: r.stream, Values: []string{"s", "x", "b", "x.1", "n", "1", "d", "\x01binary"}})
	box.wait(t, "a resync", resynced(ReasonUndecodable))
	send(t, s, to("a", message(1)))
	box.wait(t, "what follows", received(1))
}

// What is read is cut off, so that a stream does not grow to its bound.
func TestWhatIsReadIsCutOff(t *testing.T) {
	client := redistest.Client(t, redistest.StartMini(t).Addr())
	box, r, _ := gateway(t, client, "a")
	s := NewSender(SenderConfig{Redis: client, Name: "deliver"})
	for i := range 300 {
		send(t, s, to("a", message(i)))
	}
	box.wait(t, "all", received(300))
	for deadline := time.Now().Add(10 * time.Second); client.XLen(t.Context(), r.stream).Val() > 1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d entries are kept", client.XLen(t.Context(), r.stream).Val())
		}
	}
}

func TestABadEnvelopeSendsNothing(t *testing.T) {
	client := redistest.Client(t, redistest.StartMini(t).Addr())
	box, _, _ := gateway(t, client, "a")
	s, _ := deliver(t, client)
	if err := s.Send(t.Context(), to("a", message(1), Envelope{})); err == nil {
		t.Error("an empty envelope was sent")
	}
	send(t, s, to("a", message(2)))
	box.wait(t, "the good one", received(1))
	if box.got[0].Message.Seq != 2 {
		t.Error("half of a bad call was sent")
	}
	box.quiet(t)
}

// TestLostIsNoticedByWhoStartsLater: it may have been to a gateway that started while the sender reached nobody.
func TestLostIsNoticedByWhoStartsLater(t *testing.T) {
	addr := redistest.StartMini(t).Addr()
	s, _ := deliver(t, redistest.Client(t, addr))
	s.Lost()
	box, _, _ := gateway(t, redistest.Client(t, addr), "late")
	box.wait(t, "a resync", resynced(ReasonJump))
}
