package kafka

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/dozaar/dozaar/pkg/chat"
)

// partitionOfTen is an assignment that may hold ten records, a few KiB, or be five records ahead of one.
func partitionOfTen(t *testing.T, worker Worker) (a *assignment, paused func() bool) {
	t.Helper()
	cfg := ConsumerConfig{
		Config: Config{Brokers: []string{"127.0.0.1:1"}}, Group: "g", Topics: []string{"t"},
		MaxHeld: 10, MaxHeldBytes: 10 * (recordCost + 10), MaxAhead: 20, MaxBatch: 3,
	}
	c, err := NewConsumer(cfg, func(string, int32) Worker { return worker })
	if err != nil {
		t.Fatal(err)
	}
	c.stop = func(error) {}
	client, err := kgo.NewClient(kgo.SeedBrokers(cfg.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return newAssignment(c, client, partition{"t", 0}), func() bool { return len(client.PauseFetchPartitions(nil)["t"]) == 1 }
}

func (a *assignment) fetch(t *testing.T, n, size int) {
	t.Helper()
	all := make([]*kgo.Record, n)
	for i := range all {
		all[i] = &kgo.Record{Topic: "t", Offset: max(0, a.progress.next) + int64(i), Value: make([]byte, size)}
	}
	if err := a.enqueue(all, max(0, a.progress.next)+int64(n)); err != nil {
		t.Fatal(err)
	}
}

func (a *assignment) doneFrom(from, to int64) {
	for offset := from; offset < to; offset++ {
		a.Done(chat.Position{Offset: offset})
	}
}

// What a worker that waits may hold is bounded, whether it has taken it or not: full, the partition's fetching
// stops; half empty, it goes on; and a pause does not outlive the assignment.
func TestWhatIsHeldIsBounded(t *testing.T) {
	a, paused := partitionOfTen(t, InOrder(func(context.Context, []Record) error { return nil }))
	a.fetch(t, 9, 1)
	if paused() {
		t.Error("paused at 9 of 10 records")
	}
	a.fetch(t, 1, 1)
	if !paused() {
		t.Error("not paused at 10 of 10 records")
	}
	for want := range []int{3, 3, 3, 1} {
		batch, err := a.Take(t.Context())
		if err != nil || batch[0].Position.Offset != int64(want*3) || !paused() {
			t.Fatalf("took %d from %d, %v, paused %t; to take is not to have done", len(batch), batch[0].Position.Offset, err, paused())
		}
	}
	a.doneFrom(0, 5)
	if !paused() {
		t.Error("not paused at 5 of 10 records")
	}
	a.doneFrom(5, 6)
	if paused() {
		t.Error("still paused at 4 of 10 records")
	}
	a.doneFrom(6, 10)
	if p := a.progress; p.bytes != 0 || p.held != 0 || len(p.open) != 0 || len(a.queue) != 0 {
		t.Errorf("%d records and %d bytes are left where all is done", p.held, p.bytes)
	}
	a.fetch(t, 5, 2*recordCost)
	if !paused() {
		t.Error("not paused at more bytes than it may hold")
	}
	a.cancel()
	a.run()
	if paused() {
		t.Error("the pause outlived the assignment")
	}
}

// One record that does not get done is not run away from for ever: all after it comes again after a crash.
func TestARecordIsNotLeftFarBehind(t *testing.T) {
	a, paused := partitionOfTen(t, nil)
	for i := int64(1); i < 19; i++ {
		a.fetch(t, 1+int(1/i), 1) // two at first
		a.doneFrom(i, i+1)
	}
	if paused() || valueOf(t, a.lag) != 1 {
		t.Fatalf("paused %t, %v records not done; want 1", paused(), valueOf(t, a.lag))
	}
	a.fetch(t, 1, 1)
	a.doneFrom(19, 20)
	if !paused() {
		t.Error("not paused at 20 records above one that is not done")
	}
	if at, fresh := a.uncommitted(); fresh {
		t.Errorf("to be committed is %d; want nothing", at.Offset)
	}
	a.doneFrom(0, 1)
	if at, _ := a.uncommitted(); paused() || at.Offset != 20 {
		t.Errorf("paused %t, to be committed is %d; want 20", paused(), at.Offset)
	}
}

func valueOf(t *testing.T, gauge prometheus.Gauge) float64 {
	t.Helper()
	var m dto.Metric
	if err := gauge.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetGauge().GetValue()
}

// The lag in seconds is the age of the oldest record that is not done, whatever is done above it; of what is not
// fetched yet it is how long we have known of it.
func TestLagInSeconds(t *testing.T) {
	a, _ := partitionOfTen(t, nil)
	a.startAt(kgo.EpochOffset{}, 0, false)
	between := func(what string, low, high float64) {
		t.Helper()
		a.grow()
		if got := valueOf(t, a.lagSeconds); got < low || got > high {
			t.Errorf("%s: %v s, want %v to %v", what, got, low, high)
		}
	}
	between("nothing there", 0, 0)
	now := time.Now()
	var records []*kgo.Record
	for i := range int64(4) {
		records = append(records, &kgo.Record{Topic: "t", Offset: i, Timestamp: now.Add(-time.Duration(4-i) * time.Hour)})
	}
	if err := a.enqueue(records, 4); err != nil {
		t.Fatal(err)
	}
	between("nothing done", 4*3600, 4*3600+60)
	a.doneFrom(1, 4)
	between("the first not done", 4*3600, 4*3600+60)
	a.doneFrom(0, 1)
	between("all done", 0, 0)
	a.sawEnd(9)
	a.unfetched = now.Add(-time.Hour)
	between("not fetched", 3600, 3660)
	if err := a.enqueue([]*kgo.Record{{Topic: "t", Offset: 8, Timestamp: now.Add(time.Hour)}}, 9); err != nil {
		t.Fatal(err)
	}
	between("by a clock that is ahead", 0, 0)
}

func TestTheLogMustNotGoBack(t *testing.T) {
	a, _ := partitionOfTen(t, nil)
	a.fetch(t, 3, 1)
	if err := a.enqueue([]*kgo.Record{{Offset: 2}}, 3); !errors.Is(err, errWentBack) {
		t.Errorf("error %v, want %v", err, errWentBack)
	}
}

// A worker that ends by itself would leave its partition to nobody.
func TestAWorkerMustNotEnd(t *testing.T) {
	var cause error
	a, _ := partitionOfTen(t, endsAtOnce{})
	a.consumer.stop = func(err error) { cause = err }
	a.run()
	if !errors.Is(cause, errWorkerEnded) {
		t.Errorf("the consumer stops with %v, want %v", cause, errWorkerEnded)
	}
}

type endsAtOnce struct{}

func (endsAtOnce) Run(context.Context, Records) error { return nil }
