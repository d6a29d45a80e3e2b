package relay

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/dozaar/dozaar/pkg/redis/redistest"
)

// traffic is three gateways with streams on different nodes, and a deliver that sends each of them a numbered
// message fifty times a second.
type traffic struct {
	t      *testing.T
	boxes  map[string]*seenBox
	sender *Sender

	mu   sync.Mutex
	sent []time.Time // guarded by mu; by number, when its sending began
}

// seenBox remembers when what was received, and when it was asked to resync.
type seenBox struct {
	mu       sync.Mutex // the test may hold it: then the gateway does not keep up
	received map[int64]time.Time
	resynced []time.Time
	reasons  map[string]int
}

func (b *seenBox) Receive(_ context.Context, e Envelope) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.received[e.Message.Seq] = time.Now()
}

func (*seenBox) Unheard(context.Context) {}

func (*seenBox) Heard(context.Context, time.Time) {}

func (b *seenBox) Resync(_ context.Context, reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.resynced = append(b.resynced, time.Now())
	b.reasons[reason]++
}

func startTraffic(t *testing.T, client redis.UniversalClient) *traffic {
	t.Helper()
	tr := &traffic{t: t, boxes: map[string]*seenBox{}}
	for _, name := range []string{"a", "b", "c"} { // in slots 8573, 12828 and 701: on three nodes of a new cluster
		box := &seenBox{received: map[int64]time.Time{}, reasons: map[string]int{}}
		tr.boxes[name] = box
		r := NewReceiver(ReceiverConfig{Redis: client, Instance: name}, box)
		start(t, r.Run)
		<-r.Ready()
	}
	tr.sender = NewSender(SenderConfig{Redis: client, Name: "deliver"})
	start(t, tr.sender.Run)
	start(t, func(ctx context.Context) error {
		for ctx.Err() == nil {
			tr.send(ctx)
			time.Sleep(20 * time.Millisecond)
		}
		return nil
	})
	return tr
}

// send sends the next message to all gateways; it may fail, in bounded time.
func (tr *traffic) send(ctx context.Context) (n int64, err error) {
	tr.mu.Lock()
	started := time.Now()
	tr.sent = append(tr.sent, started)
	n = int64(len(tr.sent) - 1)
	tr.mu.Unlock()
	var all []Addressed
	for name := range tr.boxes {
		all = append(all, to(name, message(int(n)))...)
	}
	err = tr.sender.Send(ctx, all)
	if took := time.Since(started); took > 12*time.Second {
		tr.t.Errorf("Send took %v", took)
	}
	return n, err
}

// arrives waits until every gateway receives what is sent from now on.
func (tr *traffic) arrives() {
	tr.t.Helper()
	tr.mu.Lock()
	first := int64(len(tr.sent))
	tr.mu.Unlock()
	tr.wait("what is sent now arrives", func(b *seenBox) bool {
		for n := range b.received {
			if n >= first {
				return true
			}
		}
		return false
	})
}

// accounted waits until every gateway has received what was sent so far, or has resynced since its sending began:
// then it has read it from the store.
func (tr *traffic) accounted() {
	tr.t.Helper()
	tr.mu.Lock()
	sent := tr.sent[:len(tr.sent):len(tr.sent)]
	tr.mu.Unlock()
	tr.wait("all is received or noticed to be lost", func(b *seenBox) bool {
		for n, at := range sent {
			if _, ok := b.received[int64(n)]; !ok && (len(b.resynced) == 0 || b.resynced[len(b.resynced)-1].Before(at)) {
				return false
			}
		}
		return true
	})
	for name, b := range tr.boxes {
		b.mu.Lock()
		tr.t.Logf("%s: %d of %d sent were received; resyncs %v", name, len(b.received), len(sent), b.reasons)
		b.mu.Unlock()
	}
}

func (tr *traffic) wait(what string, condition func(*seenBox) bool) {
	tr.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		missing := ""
		for name, b := range tr.boxes {
			b.mu.Lock()
			if !condition(b) {
				missing = fmt.Sprintf("%s, resyncs %v", name, b.reasons)
			}
			b.mu.Unlock()
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			tr.t.Fatalf("waited in vain: %s: %s", what, missing)
		}
	}
}

// resyncs counts a gateway's.
func (tr *traffic) resyncs(gateway string) int {
	b := tr.boxes[gateway]
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.resynced)
}

// The master dies with entries that it had confirmed and no gateway had read.
func TestAFailoverLosesEntries(t *testing.T) {
	redistest.OnSets(t, func(t *testing.T, s redistest.Set) {
		tr := startTraffic(t, s.Client())
		tr.arrives()
		redistest.Replicated(t, s, "relay:a")
		a := tr.boxes["a"]
		a.mu.Lock()
		var lost int64
		old := redistest.LoseAndKill(t, s, "relay:a", func() {
			for range 10 {
				n, err := tr.send(t.Context())
				if err != nil {
					t.Errorf("the master did not confirm: %v", err)
				}
				lost = n
			}
		})
		a.mu.Unlock()
		s.AwaitFailover(old, "relay:a")
		tr.arrives()
		tr.accounted()
		a.mu.Lock()
		defer a.mu.Unlock()
		if _, ok := a.received[lost]; ok {
			t.Error("nothing was lost: the test tests nothing")
		}
	})
}

// The master is out of reach, is replaced, and comes back: believing that it is the master still.
func TestAMasterComesBack(t *testing.T) {
	redistest.OnSets(t, func(t *testing.T, s redistest.Set) {
		tr := startTraffic(t, s.Client())
		tr.arrives()
		old := s.MasterOf(gatewaysKey)
		old.Pause()
		s.AwaitFailover(old, gatewaysKey)
		tr.arrives()
		old.Resume()
		s.AwaitReplica(old)
		tr.arrives()
		tr.accounted()
	})
}

// A stream and the list of gateways are moved to another node of the cluster: nothing is lost.
func TestAStreamMoves(t *testing.T) {
	t.Parallel()
	s := redistest.StartCluster(t)
	tr := startTraffic(t, s.Client())
	for _, key := range []string{"relay:a", gatewaysKey} {
		to := s.Nodes[0]
		if s.MasterOf(key) == to {
			to = s.Nodes[1]
		}
		s.MoveSlot(key, to, tr.arrives) // also while either node has the slot
		tr.arrives()
	}
	tr.accounted()
	for name := range tr.boxes {
		if n := tr.resyncs(name); n > 0 {
			t.Errorf("%s resynced %d times", name, n)
		}
	}
}
