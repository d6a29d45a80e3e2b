package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/pkg/store/cassandra"
	"github.com/dozaar/dozaar/schemas"
	"github.com/dozaar/dozaar/schemas/registry"
)

// deployment makes what the roles need: tables, schemas, topics. On engines of one's own these are commands, run
// before the roles; `all` does the same by itself.
type deployment struct {
	cfg     Config
	engines engines
	telling telling
	waiting *waiting

	acceptUnread bool // of applyTopics: a group without an offset begins where the log does
}

// everything is all three, in the order that they need.
func (d deployment) everything(ctx context.Context) error {
	if _, err := d.migrate(ctx); err != nil {
		return err
	}
	if _, err := d.applySchemas(ctx); err != nil {
		return err
	}
	return d.applyTopics(ctx)
}

// migrate makes Cassandra's tables. The embedded store makes its own when it is opened.
func (d deployment) migrate(ctx context.Context) (files []string, err error) {
	if len(d.cfg.Cassandra.CassandraHosts) == 0 {
		return nil, nil
	}
	cfg, err := d.cfg.cassandra(d.telling)
	if err != nil {
		return nil, err
	}
	return files, d.waiting.untilEach(ctx, engineCassandra, migratePatience, func(ctx context.Context) error {
		more, err := cassandra.Migrate(ctx, cfg)
		files = append(files, more...)
		return err
	})
}

// fillAuthors finds out who wrote where, and says how far it is.
func (d deployment) fillAuthors(ctx context.Context, out io.Writer) error {
	cfg, err := d.cfg.cassandra(d.telling)
	if err != nil {
		return err
	}
	store, err := cassandra.Open(ctx, cfg)
	if err != nil {
		return err
	}
	said := 0.0
	return errors.Join(store.FillAuthors(ctx, func(share float64) {
		if share >= said+0.05 || share == 1 {
			said = share
			fmt.Fprintf(out, "authors: %.0f %% of the messages are read\n", 100*share)
		}
	}), store.Close())
}

func (d deployment) applySchemas(ctx context.Context) (all []schemas.Registered, err error) {
	return all, d.withRegistry(ctx, func(ctx context.Context, r *registry.Registry) error {
		all, err = schemas.Register(ctx, r)
		return err
	})
}

func (d deployment) checkSchemas(ctx context.Context) (all []schemas.Registered, err error) {
	return all, d.withRegistry(ctx, func(ctx context.Context, r *registry.Registry) error {
		all, err = schemas.Check(ctx, r)
		return err
	})
}

func (d deployment) withRegistry(ctx context.Context, do func(context.Context, *registry.Registry) error) error {
	r, err := registry.New(nil, d.engines.registry)
	if err != nil {
		return err
	}
	defer r.Close()
	return d.waiting.until(ctx, engineRegistry, func(ctx context.Context) error { return do(ctx, r) })
}

// withStore opens the store and reads what it remembers of topics.
func (d deployment) withStore(ctx context.Context, do func(s topicIdentities, known map[string]chat.TopicIdentity) error) error {
	s, err := d.cfg.openStore(ctx, d.waiting, d.telling)
	if err != nil {
		return err
	}
	defer s.Close()
	var known map[string]chat.TopicIdentity
	err = d.waiting.until(ctx, "the store", func(ctx context.Context) (err error) {
		known, err = knownTopics(ctx, s)
		return err
	})
	if err != nil {
		return err
	}
	return do(s, known)
}

func (d deployment) topics(known map[string]chat.TopicIdentity) (kafka.TopicsConfig, error) {
	cfg, err := d.cfg.kafka(d.engines, d.telling)
	return kafka.TopicsConfig{
		Config: cfg, Known: known, Partitions: int32(d.cfg.Topics.KafkaPartitions), Groups: d.engines.groups(),
	}, err
}

// applyTopics makes topics and their groups' first offsets, and has the store remember those that are new to it.
func (d deployment) applyTopics(ctx context.Context) error {
	return d.withStore(ctx, func(s topicIdentities, known map[string]chat.TopicIdentity) error {
		cfg, err := d.topics(known)
		if err != nil {
			return err
		}
		return d.waiting.untilKafka(ctx, cfg.Config, func(ctx context.Context) error {
			consumed, err := kafka.Consumed(ctx, cfg.Config, d.engines.group)
			if err != nil {
				return err
			}
			if err := emptied(known, consumed); err != nil {
				return err
			}
			cfg.StartMissing = d.acceptUnread
			made, err := kafka.EnsureTopics(ctx, cfg)
			if err != nil {
				return err
			}
			return remember(ctx, s, known, made)
		})
	})
}

// emptied refuses a store that does not know a topic although its records were consumed: what they said is not in it,
// and would never come again.
func emptied(known map[string]chat.TopicIdentity, consumed map[string]bool) error {
	for topic, done := range consumed {
		if _, found := known[topic]; done && !found {
			return fmt.Errorf("%w: the store is empty, but the records of %s were consumed into one already: bring back that store, or start with an empty log",
				kafka.ErrTopics, topic)
		}
	}
	return nil
}

// remember puts topics that are new to the store into it. Their log epoch is 0.
func remember(ctx context.Context, s topicIdentities, known map[string]chat.TopicIdentity, topics []chat.TopicIdentity) error {
	for _, topic := range topics {
		if _, found := known[topic.Topic]; found {
			continue
		}
		if err := s.PutTopicIdentity(ctx, topic); err != nil {
			return err
		}
	}
	return nil
}

// checkTopics tells what the topics are, and every fault.
func (d deployment) checkTopics(ctx context.Context) (states []topicState, err error) {
	err = d.withStore(ctx, func(_ topicIdentities, known map[string]chat.TopicIdentity) error {
		cfg, err := d.topics(known)
		if err != nil {
			return err
		}
		return d.waiting.untilKafka(ctx, cfg.Config, func(ctx context.Context) error {
			found, fault := kafka.CheckTopics(ctx, cfg)
			if fault != nil && !errors.Is(fault, kafka.ErrTopics) {
				return fault
			}
			lags, err := kafka.Lags(ctx, cfg, d.engines.group)
			if err != nil {
				return err
			}
			states = nil
			for _, f := range found {
				was, remembered := known[f.Topic]
				lag, read := lags[f.Topic]
				states = append(states, topicState{f, was, remembered, lag, read})
			}
			return fault
		})
	})
	return states, err
}

// rewindGroup has deliver read again what came since a time.
func (d deployment) rewindGroup(ctx context.Context, to time.Time, acceptUnread bool) (rewound []kafka.Rewound, err error) {
	cfg, err := d.topics(nil)
	if err != nil {
		return nil, err
	}
	return rewound, d.waiting.untilKafka(ctx, cfg.Config, func(ctx context.Context) error {
		rewound, err = kafka.RewindGroup(ctx, cfg, kafka.Rewind{Group: d.engines.group, To: to, AcceptUnread: acceptUnread})
		return err
	})
}

// topicState is a row of `dozaar topics`.
type topicState struct {
	kafka.TopicState
	was        chat.TopicIdentity
	remembered bool // was is what the store remembers
	lag        int64
	read       bool // the group reads it
}

func sorted(topics map[string]chat.TopicIdentity) []chat.TopicIdentity {
	return slices.SortedFunc(maps.Values(topics), func(a, b chat.TopicIdentity) int { return strings.Compare(a.Topic, b.Topic) })
}
