package kafka_test

import (
	"context"
	"strings"
	"testing"

	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What somebody packed so that it unpacks to more than memory should hold ends the consumer, which names the place.
func TestABatchThatUnpacksToTooMuch(t *testing.T) {
	l := newLog(t, 1)
	client, err := kgo.NewClient(kgo.SeedBrokers(l.config.Brokers...), kgo.ProducerBatchCompression(kgo.GzipCompression()),
		kgo.ProducerBatchMaxBytes(128<<20), kgo.BrokerMaxWriteBytes(128<<20))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	r := l.consume(func(string, int32) kafka.Worker {
		return kafka.InOrder(func(context.Context, []kafka.Record) error { return nil })
	}, nil)
	for _, size := range []int{1 << 20, 65 << 20} {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: schemas.TopicMessages, Value: make([]byte, size)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	err = r.result(t)
	if err == nil || !strings.Contains(err.Error(), "chat.messages partition 0: the batch at offset 1 unpacks to more than 64 MiB") ||
		!strings.Contains(err.Error(), "set the group's offset to 2 by hand") {
		t.Errorf("it ended with %v", err)
	}
}
