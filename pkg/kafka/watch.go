package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// WatchConfig says which topics, none of them compacted, are to stay what they are.
type WatchConfig struct {
	Config

	Topics   []chat.TopicIdentity
	Interval time.Duration // default 2 s

	// Explain says what may be done about a topic that is another one now, or was deleted: then is has no ID. By default
	// what those may do who fill the store from it.
	Explain func(was, is chat.TopicIdentity) error
}

// Watch looks at the topics of a process that runs. A consumer notices by itself that its topic was deleted,
// made again or given more partitions; a producer would go on into whatever has the name.
type Watch struct {
	cfg WatchConfig
}

// NewWatch makes a watch.
func NewWatch(cfg WatchConfig) (*Watch, error) {
	if err := cfg.Config.defaults(); err != nil {
		return nil, err
	}
	if cfg.Interval <= 0 {
		cfg.Interval = 2 * time.Second
	}
	if cfg.Explain == nil {
		cfg.Explain = explain
	}
	return &Watch{cfg}, nil
}

// Run looks at the topics until ctx ends, and returns an error that wraps ErrTopics and says what to do as soon
// as one of them is another one, or keeps its records no longer. A cluster that does not answer says nothing.
func (w *Watch) Run(ctx context.Context) error {
	client, err := kgo.NewClient(w.cfg.options()...)
	if err != nil {
		return fmt.Errorf("kafka watch: %w", err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	for missing := map[string]bool{}; pause(ctx, w.cfg.Interval); {
		details, err := admin.ListTopics(ctx, names(w.cfg.Topics)...)
		if err != nil {
			continue // those who need the brokers complain
		}
		gone := map[string]bool{}
		for _, was := range w.cfg.Topics {
			is := details[was.Topic]
			switch {
			case errors.Is(is.Err, kerr.UnknownTopicOrPartition) && missing[was.Topic]:
				return fmt.Errorf("%w: %w", ErrTopics, w.cfg.Explain(was, chat.TopicIdentity{}))
			case errors.Is(is.Err, kerr.UnknownTopicOrPartition):
				gone[was.Topic] = true // one broker may not have heard of everything yet: asked twice
			case is.Err != nil || len(is.Partitions) == 0:
			case other(was, identityOf(is)):
				return fmt.Errorf("%w: %w", ErrTopics, w.cfg.Explain(was, identityOf(is)))
			}
		}
		missing = gone
		if compacted := w.compacted(ctx, admin); compacted != "" {
			return fmt.Errorf("%w: topic %s is compacted (its cleanup.policy was changed): of a conversation's records all but the last are taken away, read or not; run `dozaar topics apply`",
				ErrTopics, compacted)
		}
	}
	return nil
}

// compacted names a topic whose records do not stay until they are read.
func (w *Watch) compacted(ctx context.Context, admin *kadm.Client) string {
	configs, _ := describe(ctx, admin, names(w.cfg.Topics)) // without an answer there is nothing to tell
	for _, topic := range w.cfg.Topics {
		if strings.Contains(configs[topic.Topic]["cleanup.policy"], "compact") {
			return topic.Topic
		}
	}
	return ""
}

// other tells whether a topic is not the one that the store was filled from.
func other(was, is chat.TopicIdentity) bool {
	return was.ID != is.ID || was.Partitions != is.Partitions
}

func explain(was, is chat.TopicIdentity) error {
	if is.ID == "" {
		return deletedTopic(was)
	}
	return otherTopic(was, is)
}

// otherTopic says how, and what may be done.
func otherTopic(was, is chat.TopicIdentity) error {
	if was.ID == is.ID {
		return fmt.Errorf("topic %s was given more partitions in place (it has %d and had %d), so that keys have moved to other partitions; Kafka cannot take that back: stop every gateway and deliver and run `dozaar topics adopt`, which says what becomes of records that were not read",
			is.Topic, is.Partitions, was.Partitions)
	}
	return fmt.Errorf("topic %s is not the one that the store was filled from (id %s with %d partitions, was %s with %d): bring back that log; or, if it was made again or restored on purpose, stop every gateway and deliver and run `dozaar topics adopt`",
		is.Topic, is.ID, is.Partitions, was.ID, was.Partitions)
}

// deletedTopic says what may be done about a topic that the store was filled from and that is not there.
func deletedTopic(was chat.TopicIdentity) error {
	return fmt.Errorf("topic %s was deleted: bring back that log; or, if it is gone for good, run `dozaar topics apply` and then `dozaar topics adopt`", was.Topic)
}

func names(topics []chat.TopicIdentity) []string {
	list := make([]string, len(topics))
	for i, t := range topics {
		list[i] = t.Topic
	}
	return list
}
