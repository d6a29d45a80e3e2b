package kafka_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dozaar/dozaar/pkg/kafka"
)

// A static member that comes back under its name keeps its partitions: the other one's are not touched, and what was
// written meanwhile is read, once.
func TestAStaticMemberComesBack(t *testing.T) {
	l := newLog(t, 2)
	p := l.producer(nil)
	s := newSeen(t)
	as := func(name string) (*running, *prometheus.Registry) {
		registry := prometheus.NewRegistry()
		return l.consume(s.worker, func(c *kafka.ConsumerConfig) {
			c.Instance, c.Registerer = name, registry
			c.SessionTimeout = 20 * time.Second // longer than the test is away, on a busy machine too
		}), registry
	}
	moves := func(registry *prometheus.Registry) (n float64) {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "dozaar_kafka_rebalanced_partitions_total" {
				for _, m := range f.GetMetric() {
					n += m.GetCounter().GetValue()
				}
			}
		}
		return n
	}
	send := func(text string) {
		for partition := range int32(2) {
			if err := p.PublishMessage(t.Context(), message(conversationIn(partition, 2), fmt.Sprint(text, partition))); err != nil {
				t.Fatal(err)
			}
		}
	}
	a, aRegistry := as("a")
	eventually(t, "the first has both", func() bool { return moves(aRegistry) == 2 })
	_, bRegistry := as("b")
	eventually(t, "the second has one", func() bool { return moves(bRegistry) == 1 && moves(aRegistry) == 3 })
	send("before")
	eventually(t, "both are read", func() bool { return s.count() == 2 })
	a.stop(t)
	send("meanwhile")
	_, again := as("a")
	eventually(t, "it has its own again", func() bool { return moves(again) == 1 })
	eventually(t, "all are read", func() bool { return s.count() == 4 })
	if got := moves(bRegistry); got != 1 {
		t.Errorf("the other one's partitions moved: %v times", got-1)
	}
	if got := len(s.records()); got != 4 {
		t.Errorf("%d records were read; four are there", got)
	}
}
