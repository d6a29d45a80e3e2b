package kafka

import (
	"testing"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestPartitionsAreTheProducers(t *testing.T) {
	of := Partitions(map[string]int32{"a": 64, "b": 3})
	for range 200 {
		key := []byte(chat.NewID().String())
		for topic, count := range map[string]int{"a": 64, "b": 3} {
			want := kgo.StickyKeyPartitioner(nil).ForTopic(topic).Partition(&kgo.Record{Key: key}, count)
			if got := of(topic, key); int(got) != want {
				t.Fatalf("%s in %s: %d, the producer's is %d", key, topic, got, want)
			}
		}
	}
	for _, foreign := range []int32{of("c", []byte("x")), of("a", nil)} {
		if foreign != -1 {
			t.Errorf("something that belongs nowhere belongs to partition %d", foreign)
		}
	}
}

func BenchmarkPartitions(b *testing.B) {
	of := Partitions(map[string]int32{"a": 64})
	key := []byte(chat.NewID().String())
	b.ReportAllocs()
	for b.Loop() {
		of("a", key)
	}
}
