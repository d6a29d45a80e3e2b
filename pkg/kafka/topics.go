package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/schemas"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TopicsConfig says which topics and groups there are to be.
type TopicsConfig struct {
	Config

	Topics []schemas.Topic     // default: all of topics.yaml
	Groups map[string][]string // consumer group → topics that it reads

	// Known is what the store remembers of topics, by name: a topic that is another one now is a fault, and one that
	// is not among them too, but for EnsureTopics. Nil: there is no store to compare with.
	Known map[string]chat.TopicIdentity
	// Partitions is how many each topic has, and gets. 0: as many as the store remembers, else topics.yaml's.
	Partitions int32

	// StartMissing lets EnsureTopics start a group that has no offset at the log's start even where
	// older records are gone already: right for a new group, wrong for one whose offsets were lost.
	StartMissing bool
}

// EnsureTopics makes what topics are missing, sets the configuration of those that are there, and gives
// each group its first committed offsets: the log's start. It never changes a number of partitions: keys
// would move to other partitions. It may be called by several processes at once, and again.
//
// It returns what the topics are, with epoch 0: the log epoch is the store's to remember.
func EnsureTopics(ctx context.Context, cfg TopicsConfig) ([]chat.TopicIdentity, error) {
	var identities []chat.TopicIdentity
	err := cfg.with(ctx, func(t *topics) error {
		for attempt := 1; ; attempt++ {
			if err := t.mend(ctx); err != nil {
				return err
			}
			states, faults, err := t.check(ctx)
			if err != nil {
				return err
			}
			identities = identitiesOf(states)
			faults = slices.DeleteFunc(faults, func(f Fault) bool { return f.unknown })
			// A broker may not have heard yet of what another one has just done.
			if slices.ContainsFunc(faults, func(f Fault) bool { return f.mended }) && attempt < ensureAttempts && pause(ctx, 500*time.Millisecond) {
				continue
			}
			t.warn(faults)
			return faultsError(needed(faults))
		}
	})
	return identities, err
}

const ensureAttempts = 10

func (t *topics) mend(ctx context.Context) error {
	for _, step := range []func(context.Context) error{t.create, t.configure, t.startGroups} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// CheckTopics fails with a *TopicsError where a topic or a group is not as it should be, and returns what the
// topics are, those there are, with epoch 0.
func CheckTopics(ctx context.Context, cfg TopicsConfig) (states []TopicState, err error) {
	err = cfg.with(ctx, func(t *topics) error {
		var faults []Fault
		states, faults, err = t.check(ctx)
		return cmp.Or(err, faultsError(faults))
	})
	return states, err
}

// NeedTopics is CheckTopics for a role that is about to start: it tells what a role can live with to the log only.
func NeedTopics(ctx context.Context, cfg TopicsConfig) (identities []chat.TopicIdentity, err error) {
	err = cfg.with(ctx, func(t *topics) error {
		states, faults, err := t.check(ctx)
		identities = identitiesOf(states)
		t.warn(faults)
		return cmp.Or(err, faultsError(needed(faults)))
	})
	return identities, err
}

func (t *topics) warn(faults []Fault) {
	for _, f := range faults {
		if f.Bearable {
			t.cfg.Logger.Warn("a topic is not as it should be", "fault", f.Error())
		}
	}
}

type topics struct {
	cfg     TopicsConfig
	admin   *kadm.Client
	brokers int
}

func (cfg TopicsConfig) with(ctx context.Context, do func(*topics) error) error {
	if err := cfg.Config.defaults(); err != nil {
		return err
	}
	if cfg.Topics == nil {
		all, err := schemas.Topics()
		if err != nil {
			return err
		}
		cfg.Topics = all
	}
	client, err := kgo.NewClient(cfg.options()...)
	if err != nil {
		return fmt.Errorf("kafka topics: %w", err)
	}
	defer client.Close()
	t := &topics{cfg: cfg, admin: kadm.NewClient(client)}
	brokers, err := t.admin.ListBrokers(ctx)
	if err != nil {
		return fmt.Errorf("kafka topics: %w", away(err))
	}
	t.brokers = len(brokers)
	if err := do(t); err != nil {
		return fmt.Errorf("kafka topics: %w", err)
	}
	return nil
}

// away marks an error of asking the cluster as one that passes, unless it was the cluster's refusal.
func away(err error) error {
	if err == nil || Refused(err) {
		return err
	}
	return fmt.Errorf("%w: %w", chat.ErrUnavailable, err)
}

// passing is away for what a broker answered of one topic or partition.
func passing(err error) error {
	if kerr.IsRetriable(err) && !errors.Is(err, kerr.UnknownTopicOrPartition) {
		return away(err)
	}
	return err
}

// replication is what a topic that is made gets: what it asks for, as far as there are brokers.
func (t *topics) replication(topic schemas.Topic) int16 {
	return min(topic.Replication, int16(t.brokers))
}

// configs are those of a topic with so many replicas. It is not the number of brokers that counts: one of them
// may be away.
func (t *topics) configs(topic schemas.Topic, replicas int) map[string]string {
	insync := max(1, min(topic.MinInsyncReplicas, replicas-1))
	return map[string]string{
		"cleanup.policy":      topic.Cleanup,
		"retention.ms":        strconv.FormatInt(topic.Retention.Milliseconds(), 10),
		"segment.ms":          strconv.FormatInt(topic.Segment.Milliseconds(), 10),
		"max.message.bytes":   strconv.FormatInt(int64(topic.MaxMessageBytes), 10),
		"min.insync.replicas": strconv.Itoa(insync),
	}
}

func (t *topics) partitions(topic schemas.Topic) int32 {
	return cmp.Or(t.cfg.Partitions, t.cfg.Known[topic.Name].Partitions, topic.Partitions)
}

func (t *topics) create(ctx context.Context) error {
	var failed error
	for _, topic := range t.cfg.Topics {
		configs := make(map[string]*string)
		for k, v := range t.configs(topic, int(t.replication(topic))) {
			configs[k] = &v
		}
		_, err := t.admin.CreateTopic(ctx, t.partitions(topic), t.replication(topic), configs, topic.Name)
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			failed = errors.Join(failed, fmt.Errorf("make %s: %w", topic.Name, passing(err)))
			continue
		}
		if err == nil {
			t.cfg.Logger.Info("made a topic", "topic", topic.Name, "partitions", t.partitions(topic), "replication", t.replication(topic))
		}
		if err == nil && t.brokers > 1 && t.replication(topic) < topic.Replication {
			t.cfg.Logger.Warn("a topic has fewer replicas than it should: there are too few brokers", "topic", topic.Name,
				"replication", t.replication(topic), "should", topic.Replication)
		}
	}
	return errors.Join(failed, t.await(ctx))
}

// await waits until every partition has a leader: a topic that was just made has none for a moment.
func (t *topics) await(ctx context.Context) error {
	for {
		details, err := t.admin.ListTopics(ctx, t.names()...)
		if err == nil {
			err = details.Error()
		}
		if err == nil {
			for _, d := range details {
				for _, p := range d.Partitions {
					err = errors.Join(err, p.Err)
				}
			}
		}
		if err == nil {
			return nil
		}
		if !pause(ctx, 200*time.Millisecond) {
			return fmt.Errorf("wait for the topics' leaders: %w: %w", away(ctx.Err()), err)
		}
	}
}

func (t *topics) names() []string {
	names := make([]string, len(t.cfg.Topics))
	for i, topic := range t.cfg.Topics {
		names[i] = topic.Name
	}
	return names
}

// configure sets what differs and leaves other settings alone.
func (t *topics) configure(ctx context.Context) error {
	details, err := t.admin.ListTopics(ctx, t.names()...)
	if err != nil {
		return away(err)
	}
	configs, err := describe(ctx, t.admin, t.names())
	if err != nil {
		return err
	}
	for _, d := range t.differences(details, configs) {
		answer, err := t.admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: d.key, Value: &d.want}}, d.topic)
		if err == nil {
			_, err = answer.On(d.topic, nil)
		}
		if err != nil {
			return fmt.Errorf("set %s of %s: %w", d.key, d.topic, away(err))
		}
		t.cfg.Logger.Info("changed a topic's configuration", "topic", d.topic, "key", d.key, "was", d.have, "is", d.want)
		if d.key == "cleanup.policy" {
			t.cfg.Logger.Warn("the topic did not keep its records: some may be gone that were acknowledged and never read", "topic", d.topic, "cleanup.policy was", d.have)
		}
	}
	return nil
}
