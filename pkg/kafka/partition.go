package kafka

import "github.com/twmb/franz-go/pkg/kgo"

// Partitions answers in which partition a key's records belong, given each topic's number of partitions:
// the partition in which our producer, and any other with Kafka's own partitioner, puts them. What has no key, and
// what is of another topic, belongs into none: -1.
func Partitions(counts map[string]int32) func(topic string, key []byte) int32 {
	// One for all: making a partitioner seeds a source of random numbers, for records without a key, which takes
	// hundreds of times as long as a key's hash. With a key it has no state.
	byKey := kgo.StickyKeyPartitioner(nil).ForTopic("")
	return func(topic string, key []byte) int32 {
		if count := counts[topic]; key != nil && count > 0 {
			return int32(byKey.Partition(&kgo.Record{Key: key}, int(count)))
		}
		return -1
	}
}
