package kafka

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

type idle struct{}

func (idle) Process(context.Context, []Record) error { return nil }

// The queue is what bounds a slow partition's memory: full, it stops the partition's fetching; half
// empty, it lets it go on; and a pause does not outlive the assignment.
func TestQueueIsBounded(t *testing.T) {
	cfg := ConsumerConfig{Config: Config{Brokers: []string{"127.0.0.1:1"}}, Group: "g", Topics: []string{"t"}, MaxQueued: 10, MaxQueuedBytes: 1000, MaxBatch: 3}
	c, err := NewConsumer(cfg, func(string, int32) Worker { return idle{} })
	if err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(cfg.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	paused := func() bool { return len(client.PauseFetchPartitions(nil)["t"]) == 1 }
	records := func(n, size int) []*kgo.Record {
		all := make([]*kgo.Record, n)
		for i := range all {
			all[i] = &kgo.Record{Topic: "t", Value: make([]byte, size)}
		}
		return all
	}

	a := newAssignment(c, client, partition{"t", 0})
	a.enqueue(records(9, 1), 9)
	if paused() {
		t.Error("paused at 9 of 10 records")
	}
	a.enqueue(records(1, 1), 10)
	if !paused() {
		t.Error("not paused at 10 of 10 records")
	}
	if n := len(a.take()); n != 3 || !paused() {
		t.Errorf("took %d, paused %t; want a batch of 3, and the pause to last until half is free", n, paused())
	}
	if a.take(); paused() {
		t.Error("still paused at 4 of 10 records")
	}
	a.take()
	a.take()
	if a.bytes != 0 || len(a.queue) != 0 {
		t.Errorf("%d records and %d bytes are left of an empty queue", len(a.queue), a.bytes)
	}
	a.enqueue(records(12, 90), 22)
	if !paused() {
		t.Error("not paused at 1,080 of 1,000 bytes")
	}
	a.cancel()
	a.run()
	if paused() {
		t.Error("the pause outlived the assignment")
	}
}
