package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/pkg/chat"
)

// LogPartition is a partition as it is now.
type LogPartition struct {
	Topic      string
	TopicID    string // another one after the topic was made again
	Partition  int32
	Start, End int64 // the first offset that is there, and the one after the last
}

// ReadConfig says what Read reads, in no group: who reads keeps by itself how far it has come.
type ReadConfig struct {
	Config

	Topics   []string
	From     func(LogPartition) (offset int64, err error) // the offset at which a partition's reading begins
	Once     bool                                         // end where the log ended at the beginning
	Patience time.Duration                                // with Once, how long the brokers may give nothing; 0: for ever
	Interval time.Duration                                // how often take is called at least; default 1 s
	MaxBatch int                                          // most records that take is given; default 5,000
}

// ErrLogChanged is that a log is no longer the one that was read, or no longer has what was to be read next.
var ErrLogChanged = errors.New("the log has changed while it was read")

// Read gives all partitions' records to take, those of a partition in their order, until ctx ends; then it returns nil.
// Take is also called with no records. It returns take's error, ErrLogChanged, and one where the brokers refuse; brokers
// that are away are waited for.
func Read(ctx context.Context, cfg ReadConfig, take func(ctx context.Context, records []Record) error) error {
	if err := cfg.defaults(); err != nil {
		return err
	}
	if cfg.Interval <= 0 {
		cfg.Interval = time.Second
	}
	if cfg.MaxBatch <= 0 {
		cfg.MaxBatch = 5_000
	}
	client, err := kgo.NewClient(cfg.options(
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.KeepControlRecords(), // or the end that Once waits for might never be seen
	)...)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	partitions, err := cfg.partitions(ctx, kadm.NewClient(client))
	if err != nil {
		return err
	}
	from := map[string]map[int32]kgo.Offset{}
	left := map[partition]int64{} // by partition that has not come to its end, that end
	for _, p := range partitions {
		offset, err := cfg.From(p)
		if err != nil {
			return err
		}
		if from[p.Topic] == nil {
			from[p.Topic] = map[int32]kgo.Offset{}
		}
		from[p.Topic][p.Partition] = kgo.NewOffset().At(offset)
		if offset < p.End {
			left[partition{p.Topic, p.Partition}] = p.End
		}
	}
	watch, err := NewWatch(WatchConfig{Config: cfg.Config, Topics: identities(partitions), Explain: changed})
	if err != nil {
		return err
	}
	client.AddConsumePartitions(from)
	ctx, done := context.WithCancel(ctx)
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.Go(func() error {
		if err := watch.Run(ctx); err != nil {
			return fmt.Errorf("%w: %w", ErrLogChanged, err)
		}
		return nil
	})
	tasks.Go(func() error {
		defer done()
		return read(ctx, client, cfg, left, take)
	})
	return tasks.Wait()
}

// read is Read's loop: until all of left is read, with Once.
func read(ctx context.Context, client *kgo.Client, cfg ReadConfig, left map[partition]int64, take func(context.Context, []Record) error) error {
	last := time.Now()
	for ctx.Err() == nil && (!cfg.Once || len(left) > 0) {
		records, err := poll(ctx, client, cfg, left)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		if len(records) == 0 && cfg.Once && cfg.Patience > 0 && time.Since(last) >= cfg.Patience {
			return fmt.Errorf("%w: the brokers gave nothing for %s, and there are records to come in %d partitions", chat.ErrUnavailable, cfg.Patience, len(left))
		}
		if err := take(ctx, records); err != nil {
			return err
		}
		if len(records) > 0 {
			last = time.Now()
		}
	}
	return nil
}

func poll(ctx context.Context, client *kgo.Client, cfg ReadConfig, left map[partition]int64) (records []Record, err error) {
	bounded, cancel := context.WithTimeout(ctx, cfg.Interval)
	defer cancel()
	fetches := client.PollRecords(bounded, cfg.MaxBatch)
	fetches.EachError(func(topic string, id int32, fault error) {
		if bounded.Err() == nil || !errors.Is(fault, bounded.Err()) {
			if errors.Is(fault, kerr.UnknownTopicID) || errors.Is(fault, kerr.UnknownTopicOrPartition) {
				return // the watch looks what became of it
			}
			if errors.Is(fault, kerr.OffsetOutOfRange) {
				fault = fmt.Errorf("%w: the records that were to be read next are gone: %w", ErrLogChanged, fault)
			}
			err = errors.Join(err, fmt.Errorf("%s, partition %d: %w", topic, id, passing(fault)))
		}
	})
	for r := range fetches.RecordsAll() {
		at := partition{r.Topic, r.Partition}
		if end, open := left[at]; open && r.Offset >= end-1 {
			delete(left, at)
		}
		if !r.Attrs.IsControl() {
			records = append(records, fromClient(r, 0))
		}
	}
	return records, err
}

// changed says what became of a topic that is read.
func changed(was, is chat.TopicIdentity) error {
	switch is.ID {
	case "":
		return fmt.Errorf("topic %s was deleted: bring back that log or, if it is gone for good, run `dozaar topics apply`", was.Topic)
	case was.ID:
		return fmt.Errorf("topic %s has %d partitions and had %d", was.Topic, is.Partitions, was.Partitions)
	}
	return fmt.Errorf("topic %s was made again", was.Topic)
}

// identities are the partitions' topics.
func identities(partitions []LogPartition) (all []chat.TopicIdentity) {
	at := map[string]int{}
	for _, p := range partitions {
		i, found := at[p.Topic]
		if !found {
			i = len(all)
			at[p.Topic] = i
			all = append(all, chat.TopicIdentity{Topic: p.Topic, ID: p.TopicID})
		}
		all[i].Partitions++
	}
	return all
}

func (c ReadConfig) partitions(ctx context.Context, admin *kadm.Client) ([]LogPartition, error) {
	if c.Once && c.Patience > 0 {
		bounded, cancel := context.WithTimeout(ctx, c.Patience)
		defer cancel()
		ctx = bounded
	}
	return logPartitions(ctx, admin, c.Topics)
}

func logPartitions(ctx context.Context, admin *kadm.Client, topics []string) (all []LogPartition, err error) {
	details, err := admin.ListTopics(ctx, topics...)
	if err != nil {
		return nil, away(err)
	}
	starts, err := admin.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, away(err)
	}
	ends, err := admin.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, away(err)
	}
	for _, topic := range topics {
		if err := details[topic].Err; errors.Is(err, kerr.UnknownTopicOrPartition) {
			return nil, fmt.Errorf("%w: %s is missing; run `dozaar topics apply`", ErrTopics, topic)
		} else if err != nil {
			return nil, fmt.Errorf("topic %s: %w", topic, passing(err))
		}
	}
	if err := errors.Join(starts.Error(), ends.Error()); err != nil {
		return nil, passing(err)
	}
	starts.Each(func(start kadm.ListedOffset) {
		if end, found := ends.Lookup(start.Topic, start.Partition); found {
			all = append(all, LogPartition{start.Topic, details[start.Topic].ID.String(), start.Partition, start.Offset, end.Offset})
		}
	})
	return all, nil
}
