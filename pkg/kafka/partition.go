package kafka

import "github.com/twmb/franz-go/pkg/kgo"

// Partitions answers in which partition a key's records belong, given each topic's number of partitions:
// the partition in which our producer, and any other with Kafka's own partitioner, puts them.
func Partitions(counts map[string]int32) func(topic string, key []byte) int32 {
	return func(topic string, key []byte) int32 {
		partitioner := kgo.StickyKeyPartitioner(nil).ForTopic(topic)
		return int32(partitioner.Partition(&kgo.Record{Key: key}, int(counts[topic])))
	}
}
