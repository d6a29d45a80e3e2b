package kafka

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// LastDone gives the record that a group did last, of each partition of a topic: the one right below the offset that one of
// its members has committed. There is none where it is no longer in the log; nor where the offset was set by hand, or
// by EnsureTopics, RestartGroup or Rewind: who sets one says where to go on, and not what was done. A member's commit is told
// from those by its metadata, into which the client library writes the member's id.
func LastDone(ctx context.Context, cfg Config, group, topic string) (done []Record, err error) {
	if err := cfg.defaults(); err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(cfg.options(
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.KeepControlRecords(), // or one that is waited for might never be seen
	)...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	last, err := lastDone(ctx, kadm.NewClient(client), group, topic)
	if err != nil {
		return nil, err
	}
	from := make(map[int32]kgo.Offset, len(last))
	for id, offset := range last {
		from[id] = kgo.NewOffset().At(offset)
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: from})
	for len(last) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("%s: %w", topic, passing(err))
		}
		for r := range fetches.RecordsAll() {
			offset, awaited := last[r.Partition]
			if awaited && r.Offset == offset && !r.Attrs.IsControl() {
				done = append(done, fromClient(r, 0))
			}
			delete(last, r.Partition)
		}
	}
	return done, nil
}

// lastDone is where these records are, by partition.
func lastDone(ctx context.Context, admin *kadm.Client, group, topic string) (map[int32]int64, error) {
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("ask where the log of %s starts: %w", topic, away(err))
	}
	committed, err := committedOffsets(ctx, admin, group)
	if err != nil {
		return nil, err
	}
	last := map[int32]int64{}
	starts.Each(func(start kadm.ListedOffset) {
		if at, found := committed.Lookup(topic, start.Partition); found && at.Metadata != "" && at.At > start.Offset {
			last[start.Partition] = at.At - 1
		}
	})
	return last, nil
}
