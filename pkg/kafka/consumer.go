package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ConsumerConfig is a Consumer's configuration. Every zero field but Group and Topics has a default.
type ConsumerConfig struct {
	Config

	Group  string
	Topics []string
	// Instance makes the consumer a static member: one of the same name that comes back within the session timeout keeps its
	// partitions, and nothing moves. No two may have one name at a time. Empty: each is a new member.
	Instance string
	Epoch    func(topic string) int32 // log epoch of a topic's positions, as the store remembers it; default 0

	// FromNow is for a group to which old records are worth nothing: without an offset it begins where the log ends, and
	// with one that the log does not have any more, at the nearest that it has. Others stop: see ErrOffsetOutOfLog.
	FromNow bool

	// A partition is not fetched further while one of these is reached. They bound the memory of a worker that
	// waits, and how much is delivered again after a crash because one record below was not done.
	MaxHeld      int // records that are fetched and not done; default 4,000
	MaxHeldBytes int // the same, in bytes; default 4 MiB
	MaxAhead     int // records, done or not, above the lowest that is not done; default 100,000

	MaxBatch       int           // most records that one Take gives; default 500
	CommitInterval time.Duration // default 1 s
	LagInterval    time.Duration // how often lag is measured; default 10 s

	SessionTimeout    time.Duration // a member that is silent for so long is out; default 6 s
	HeartbeatInterval time.Duration // default 1 s
	RebalanceTimeout  time.Duration // how long a member may take to let go; default 30 s
}

func (c *ConsumerConfig) defaults() error {
	if err := c.Config.defaults(); err != nil {
		return err
	}
	if c.Group == "" || len(c.Topics) == 0 {
		return errors.New("kafka consumer: a group and at least one topic are needed")
	}
	if c.Epoch == nil {
		c.Epoch = func(string) int32 { return 0 }
	}
	for _, d := range []struct {
		value *int
		or    int
	}{{&c.MaxBatch, 500}, {&c.MaxHeld, 4_000}, {&c.MaxHeldBytes, 4 << 20}, {&c.MaxAhead, 100_000}} {
		if *d.value <= 0 {
			*d.value = d.or
		}
	}
	for _, d := range []struct {
		value *time.Duration
		or    time.Duration
	}{
		{&c.CommitInterval, time.Second}, {&c.LagInterval, 10 * time.Second},
		{&c.SessionTimeout, 6 * time.Second}, {&c.HeartbeatInterval, time.Second}, {&c.RebalanceTimeout, 30 * time.Second},
	} {
		if *d.value <= 0 {
			*d.value = d.or
		}
	}
	return nil
}

// Consumer hands the records of its topics to workers, one per partition that the group gives it.
type Consumer struct {
	cfg       ConsumerConfig
	newWorker func(topic string, partition int32) Worker
	metrics   *consumerMetrics

	client *kgo.Client  // of this Run
	admin  *kadm.Client // on top of client

	stop    context.CancelCauseFunc // ends Run
	commits chan struct{}           // holds one token while a commit is under way

	mu       sync.Mutex // guards assigned
	assigned map[partition]*assignment
}

type partition struct {
	topic string
	id    int32
}

// NewConsumer makes a consumer. newWorker is called at each assignment of a partition. Nothing happens
// before Run.
func NewConsumer(cfg ConsumerConfig, newWorker func(topic string, partition int32) Worker) (*Consumer, error) {
	if err := cfg.defaults(); err != nil {
		return nil, err
	}
	metrics, err := newConsumerMetrics(cfg.Registerer)
	if err != nil {
		return nil, err
	}
	return &Consumer{cfg: cfg, newWorker: newWorker, metrics: metrics, commits: make(chan struct{}, 1)}, nil
}

// pollRecords bounds what one poll takes, and so by how much a partition may exceed MaxHeld.
const pollRecords = 1_000

// maxBatchBytes bounds what a batch may come to when it is unpacked, whoever packed it: the largest of ours have 8 MiB.
const maxBatchBytes = 64 << 20

// Run consumes until ctx ends, then gives the partitions back and returns nil. It returns an error when
// going on would lose or skip records, or can never work: an offset that is out of the log, a topic that
// was deleted or made again, a refusal by the brokers. Brokers that are away are waited for. Run is
// called once at a time.
func (c *Consumer) Run(ctx context.Context) error {
	run, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	c.stop = stop
	c.assigned = make(map[partition]*assignment)

	client, err := kgo.NewClient(append(c.member(), c.cfg.options(
		clientMetrics(c.cfg.Registerer, c.cfg.Group),
		kgo.ConsumerGroup(c.cfg.Group),
		kgo.ConsumeTopics(c.cfg.Topics...),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.BlockRebalanceOnPoll(),
		kgo.DisableAutoCommit(),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtCommitted()), // never from anywhere else
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.AdjustFetchOffsetsFn(c.checkOffsets),
		kgo.OnPartitionsAssigned(c.onAssigned),
		kgo.OnPartitionsRevoked(c.onRevoked),
		kgo.OnPartitionsLost(c.onLost),
		kgo.SessionTimeout(c.cfg.SessionTimeout),
		kgo.HeartbeatInterval(c.cfg.HeartbeatInterval),
		kgo.RebalanceTimeout(c.cfg.RebalanceTimeout),
		kgo.FetchMaxWait(500*time.Millisecond),
		kgo.FetchMaxBytes(16<<20),
		kgo.FetchMaxPartitionBytes(1<<20),
		kgo.MaxDecompressBatchBytes(maxBatchBytes),
	)...)...)
	if err != nil {
		return fmt.Errorf("kafka consumer: %w", err)
	}
	c.client, c.admin = client, kadm.NewClient(client)

	var background sync.WaitGroup
	background.Go(func() { c.commitLoop(run) })
	background.Go(func() { c.lagLoop(run) })
	c.pollLoop(run)
	background.Wait()
	c.leave(context.WithoutCancel(ctx))

	if err := context.Cause(run); ctx.Err() == nil {
		return fmt.Errorf("kafka consumer of group %s: %w", c.cfg.Group, err)
	}
	return nil
}

// member is who the consumer is in its group.
func (c *Consumer) member() []kgo.Opt {
	if c.cfg.Instance == "" {
		return nil
	}
	return []kgo.Opt{kgo.InstanceID(c.cfg.Instance)}
}

// leave gives the partitions back, which calls onRevoked, and ends the client. A cluster that is away
// does not hold it up for long.
func (c *Consumer) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.SessionTimeout)
	defer cancel()
	c.client.AllowRebalance()
	if err := c.client.LeaveGroupContext(ctx); err != nil {
		c.cfg.Logger.Warn("left the consumer group without a goodbye; its partitions are given away after the session timeout",
			"group", c.cfg.Group, "error", err)
	}
	c.client.CloseAllowingRebalance()
	c.drop(c.all())
}

// pollLoop hands fetched records to their partitions' queues. It holds a rebalance up only while it
// does so: workers are stopped by the rebalance itself.
func (c *Consumer) pollLoop(ctx context.Context) {
	for ctx.Err() == nil {
		fetches := c.client.PollRecords(ctx, pollRecords)
		passing := c.judge(ctx, fetches.Errors())
		if ctx.Err() == nil { // an error may have ended it: then nothing of this poll is trusted
			fetches.EachPartition(c.handOff)
		}
		c.client.AllowRebalance()
		if passing {
			pause(ctx, 250*time.Millisecond)
		}
	}
}

func (c *Consumer) handOff(fetched kgo.FetchTopicPartition) {
	if len(fetched.Records) == 0 {
		return
	}
	at := partition{fetched.Topic, fetched.Partition}
	c.mu.Lock()
	a := c.assigned[at]
	c.mu.Unlock()
	if a == nil {
		c.cfg.Logger.Error("dropped records of a partition that is not assigned", "topic", at.topic, "partition", at.id)
		return
	}
	if err := a.enqueue(fetched.Records, fetched.HighWatermark); err != nil {
		c.fail(err)
	}
}

// judge ends Run if an error of a poll is for good, and tells whether there was one that passes: the
// client mends those by itself.
func (c *Consumer) judge(ctx context.Context, failures []kgo.FetchError) (passing bool) {
	for _, f := range failures {
		if ctx.Err() != nil {
			return false
		}
		if err := c.fatal(f); err != nil {
			c.fail(err)
			return false
		}
		if !passing { // the others of the same poll say the same
			c.cfg.Logger.Warn("fetching failed; trying again", "group", c.cfg.Group, "topic", f.Topic, "partition", f.Partition, "error", f.Err)
			passing = true
		}
	}
	return passing
}

// fatal gives the error that ends Run, or nil for what passes: brokers that are away or changing, and a
// membership that has to be renewed.
func (c *Consumer) fatal(f kgo.FetchError) error {
	_, dataLoss := errors.AsType[*kgo.ErrDataLoss](f.Err)
	_, session := errors.AsType[*kgo.ErrGroupSession](f.Err)
	packed, bomb := errors.AsType[*kgo.ErrDecompressTooLarge](f.Err)
	answer, answered := errors.AsType[*kerr.Error](f.Err)
	switch {
	case session:
		return nil
	case dataLoss || errors.Is(f.Err, kerr.OffsetOutOfRange):
		c.metrics.outOfLog.WithLabelValues(c.cfg.Group).Inc()
		return fmt.Errorf("%w: %s partition %d: the log no longer has the offset to read next (%w); %s", ErrOffsetOutOfLog, f.Topic, f.Partition, f.Err, whatToDo)
	case bomb: // the client reads this partition no further
		return fmt.Errorf("%s partition %d: the batch at offset %d unpacks to more than %d MiB, which no Dozaar has written: see whose it is, and set the group's offset to %d by hand (kafka-consumer-groups.sh --reset-offsets)",
			f.Topic, f.Partition, packed.Offset, maxBatchBytes>>20, packed.NextOffset)
	case errors.Is(f.Err, kerr.UnknownTopicID) || errors.Is(f.Err, kerr.UnknownTopicOrPartition):
		return fmt.Errorf("topic %s was deleted or made again (%w); run `dozaar topics` to see its state", f.Topic, f.Err)
	case answered && !answer.Retriable:
		return fmt.Errorf("fetch of %s partition %d: %w", f.Topic, f.Partition, f.Err)
	}
	return nil
}

// fail ends Run with an error.
func (c *Consumer) fail(err error) {
	c.cfg.Logger.Error("the consumer stops", "group", c.cfg.Group, "error", err)
	c.stop(err)
}

// pause waits, or returns false as soon as ctx ends.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
