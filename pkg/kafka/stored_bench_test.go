package kafka_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
)

// BenchmarkPublishStored is what chat.messages.stored costs deliver: its process's CPU for each message, and how many a second
// go through, by the messages of a slice. 64 conversations publish at once, each a slice after the other, as deliver has
// them. It wants a broker that is a process of its own, DOZAAR_TEST_KAFKA, where `dozaar topics apply` was run.
func BenchmarkPublishStored(b *testing.B) {
	brokers := os.Getenv("DOZAAR_TEST_KAFKA")
	if brokers == "" {
		b.Skip("set DOZAAR_TEST_KAFKA: the CPU of an embedded broker would be counted as the producer's")
	}
	cfg := kafka.Config{Brokers: strings.Split(brokers, ",")}
	codec, err := schemas.NewCodec(b.Context(), registryByOrder{})
	if err != nil {
		b.Fatal(err)
	}
	p, err := kafka.NewProducer(kafka.ProducerConfig{Config: cfg, Patient: true}, codec)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close(context.Background())
	for _, slice := range []int{1, 4, 16} {
		b.Run(fmt.Sprintf("slice=%d", slice), func(b *testing.B) {
			b.SetParallelism(32)
			b.ReportAllocs()
			before := processCPU(b)
			b.RunParallel(func(pb *testing.PB) {
				conversation := chat.NewID()
				messages := make([]kafka.Stored, 0, slice)
				for pb.Next() {
					m := message(conversation, "What is the lowest price that you would take for it?")
					if messages = append(messages, kafka.Stored{Message: m}); len(messages) < slice {
						continue
					}
					if err := p.PublishStored(b.Context(), messages); err != nil {
						b.Error(err)
					}
					messages = messages[:0]
				}
			})
			b.ReportMetric(float64((processCPU(b)-before).Nanoseconds())/1000/float64(b.N), "CPU-µs/message")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

// processCPU is what this process has used, in user and system time.
func processCPU(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
