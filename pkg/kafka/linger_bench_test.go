package kafka_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/embedded"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
)

// BenchmarkLinger is what the default linger was chosen by: latency of a publish at a paced rate, open
// loop, and how many a second go through with a thousand publishers, in 64 partitions. With TMPDIR on a
// memory file system it leaves out the embedded log's syncing, which a real broker does not do either.
func BenchmarkLinger(b *testing.B) {
	broker, err := embedded.StartKafka(embedded.KafkaConfig{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer broker.Close()
	cfg := kafka.Config{Brokers: []string{broker.Addr()}}
	if _, err := kafka.EnsureTopics(b.Context(), kafka.TopicsConfig{Config: cfg}); err != nil {
		b.Fatal(err)
	}
	codec, err := schemas.NewCodec(b.Context(), registryByOrder{})
	if err != nil {
		b.Fatal(err)
	}
	conversations := make([]chat.ID, 500)
	for i := range conversations {
		conversations[i] = chat.NewID()
	}
	for _, linger := range []time.Duration{0, time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond} {
		p, err := kafka.NewProducer(kafka.ProducerConfig{Config: cfg, Linger: linger}, codec)
		if err != nil {
			b.Fatal(err)
		}
		publish := func(i int) error {
			return p.PublishMessage(context.Background(), message(conversations[i%len(conversations)], "What is the lowest price that you would take for it?"))
		}
		if err := publish(0); err != nil {
			b.Fatal(err)
		}
		for _, rate := range []int{100, 1000} {
			b.Run(fmt.Sprintf("linger=%s/rate=%d", linger, rate), func(b *testing.B) { paced(b, rate, publish) })
		}
		b.Run(fmt.Sprintf("linger=%s/saturated", linger), func(b *testing.B) {
			b.SetParallelism(500)
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if err := publish(i); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
		if err := p.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func paced(b *testing.B, rate int, publish func(int) error) {
	took := make([]time.Duration, b.N)
	var wg sync.WaitGroup
	start := time.Now()
	for i := range b.N {
		due := start.Add(time.Duration(i) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(due))
		wg.Go(func() {
			if err := publish(i); err != nil {
				b.Error(err)
			}
			took[i] = time.Since(due) // not since it was sent: a late start counts
		})
	}
	wg.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
