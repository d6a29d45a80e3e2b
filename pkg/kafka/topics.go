package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/schemas"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrTopics is wrapped by what CheckTopics finds wrong, and by what EnsureTopics will not mend by itself.
var ErrTopics = errors.New("the topics are not as they must be")

// TopicsConfig says which topics and groups there are to be.
type TopicsConfig struct {
	Config

	Topics     []schemas.Topic     // default: all of topics.yaml
	Partitions int32               // instead of what topics.yaml says, where a topic is made; 0: topics.yaml's
	Groups     map[string][]string // consumer group → topics that it reads

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
	return cfg.with(ctx, func(t *topics) error {
		return errors.Join(t.create(ctx), t.configure(ctx), t.startGroups(ctx))
	})
}

// CheckTopics fails, with errors that wrap ErrTopics, where EnsureTopics would have something to do.
// It returns what the topics are, with epoch 0.
func CheckTopics(ctx context.Context, cfg TopicsConfig) ([]chat.TopicIdentity, error) {
	return cfg.with(ctx, func(*topics) error { return nil })
}

type topics struct {
	cfg     TopicsConfig
	admin   *kadm.Client
	brokers int
}

func (cfg TopicsConfig) with(ctx context.Context, change func(*topics) error) ([]chat.TopicIdentity, error) {
	if err := cfg.Config.defaults(); err != nil {
		return nil, err
	}
	if cfg.Topics == nil {
		all, err := schemas.Topics()
		if err != nil {
			return nil, err
		}
		cfg.Topics = all
	}
	client, err := kgo.NewClient(cfg.options()...)
	if err != nil {
		return nil, fmt.Errorf("kafka topics: %w", err)
	}
	defer client.Close()
	t := &topics{cfg: cfg, admin: kadm.NewClient(client)}
	brokers, err := t.admin.ListBrokers(ctx)
	if err != nil {
		return nil, fmt.Errorf("kafka topics: %w: %w", chat.ErrUnavailable, err)
	}
	t.brokers = len(brokers)
	if err := change(t); err != nil {
		return nil, fmt.Errorf("kafka topics: %w", err)
	}
	return t.check(ctx)
}

// replication is what the topic asks for, as far as there are brokers.
func (t *topics) replication(topic schemas.Topic) int16 {
	return min(topic.Replication, int16(t.brokers))
}

func (t *topics) configs(topic schemas.Topic) map[string]string {
	insync := max(1, min(topic.MinInsyncReplicas, int(t.replication(topic))-1))
	return map[string]string{
		"cleanup.policy":      topic.Cleanup,
		"retention.ms":        strconv.FormatInt(topic.Retention.Milliseconds(), 10),
		"max.message.bytes":   strconv.FormatInt(int64(topic.MaxMessageBytes), 10),
		"min.insync.replicas": strconv.Itoa(insync),
	}
}

func (t *topics) partitions(topic schemas.Topic) int32 {
	if t.cfg.Partitions > 0 {
		return t.cfg.Partitions
	}
	return topic.Partitions
}

func (t *topics) create(ctx context.Context) error {
	var failed error
	for _, topic := range t.cfg.Topics {
		configs := make(map[string]*string)
		for k, v := range t.configs(topic) {
			configs[k] = &v
		}
		_, err := t.admin.CreateTopic(ctx, t.partitions(topic), t.replication(topic), configs, topic.Name)
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			failed = errors.Join(failed, fmt.Errorf("make %s: %w", topic.Name, err))
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
			return fmt.Errorf("wait for the topics' leaders: %w: %w", ctx.Err(), err)
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
	differences, err := t.differences(ctx)
	if err != nil {
		return err
	}
	for _, d := range differences {
		answer, err := t.admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: d.key, Value: &d.want}}, d.topic)
		if err == nil {
			_, err = answer.On(d.topic, nil)
		}
		if err != nil {
			return fmt.Errorf("set %s of %s: %w", d.key, d.topic, err)
		}
		t.cfg.Logger.Info("changed a topic's configuration", "topic", d.topic, "key", d.key, "was", d.have, "is", d.want)
	}
	return nil
}

type difference struct{ topic, key, have, want string }

func (t *topics) differences(ctx context.Context) ([]difference, error) {
	described, err := t.admin.DescribeTopicConfigs(ctx, t.names()...)
	if err != nil {
		return nil, fmt.Errorf("describe the topics' configuration: %w: %w", chat.ErrUnavailable, err)
	}
	var all []difference
	for _, topic := range t.cfg.Topics {
		resource, err := described.On(topic.Name, nil)
		if err == nil {
			err = resource.Err
		}
		if err != nil {
			if errors.Is(err, kerr.UnknownTopicOrPartition) {
				continue // told by check
			}
			return nil, fmt.Errorf("describe the configuration of %s: %w", topic.Name, err)
		}
		have := make(map[string]string)
		for _, c := range resource.Configs {
			have[c.Key] = c.MaybeValue()
		}
		for key, want := range t.configs(topic) {
			if have[key] != want {
				all = append(all, difference{topic.Name, key, have[key], want})
			}
		}
	}
	return all, nil
}

// check compares the cluster with what is asked for.
func (t *topics) check(ctx context.Context) ([]chat.TopicIdentity, error) {
	details, err := t.admin.ListTopics(ctx, t.names()...)
	if err != nil {
		return nil, fmt.Errorf("kafka topics: %w: %w", chat.ErrUnavailable, err)
	}
	var wrong []error
	var identities []chat.TopicIdentity
	for _, topic := range t.cfg.Topics {
		d, ok := details[topic.Name]
		switch {
		case !ok || errors.Is(d.Err, kerr.UnknownTopicOrPartition):
			wrong = append(wrong, fmt.Errorf("topic %s is missing; run `dozaar topics apply`", topic.Name))
			continue
		case d.Err != nil:
			return nil, fmt.Errorf("kafka topics: %s: %w", topic.Name, d.Err)
		}
		identities = append(identities, chat.TopicIdentity{Topic: topic.Name, ID: d.ID.String(), Partitions: int32(len(d.Partitions))})
		if want := t.partitions(topic); int32(len(d.Partitions)) != want {
			wrong = append(wrong, fmt.Errorf("topic %s has %d partitions and should have %d; a number of partitions is never changed in place, because keys would move: make a new topic and `dozaar topics adopt` it, or configure %d",
				topic.Name, len(d.Partitions), want, len(d.Partitions)))
		}
	}
	differences, err := t.differences(ctx)
	if err != nil {
		return nil, fmt.Errorf("kafka topics: %w", err)
	}
	for _, d := range differences {
		wrong = append(wrong, fmt.Errorf("topic %s has %s = %q and should have %q; run `dozaar topics apply`", d.topic, d.key, d.have, d.want))
	}
	missing, err := t.missingOffsets(ctx)
	if err != nil {
		return nil, fmt.Errorf("kafka topics: %w", err)
	}
	for _, m := range missing {
		wrong = append(wrong, fmt.Errorf("group %s has no committed offset in %s partition %d; run `dozaar topics apply`", m.group, m.topic, m.id))
	}
	cut, err := t.outOfLog(ctx)
	if err != nil {
		return nil, fmt.Errorf("kafka topics: %w", err)
	}
	if wrong = append(wrong, cut...); len(wrong) > 0 {
		return identities, fmt.Errorf("%w: %w", ErrTopics, errors.Join(wrong...))
	}
	return identities, nil
}
