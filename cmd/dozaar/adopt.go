package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
)

// adopted is a topic that is another one from now on, as the store sees it.
type adopted struct {
	was, is chat.TopicIdentity
	offsets map[int32]int64 // where the group goes on; nil: it does not read this topic
}

// adoptTopics has the store take topics that were made again, restored or given more partitions: it raises their log
// epoch, so that every position in the new log comes after every one in the old.
//
// The group's offsets are written first, and the store last. Whoever starts in between finds a topic that the store does
// not know, and ends: nobody reads by the old offsets in the new log. If we die in between, the next call writes
// the same offsets again, and the epoch is raised once.
func (d deployment) adoptTopics(ctx context.Context, only []string, acceptUnread bool) (done []adopted, err error) {
	return done, d.withStore(ctx, func(s topicIdentities, known map[string]chat.TopicIdentity) error {
		cfg, err := d.topics(known)
		if err != nil {
			return err
		}
		var found []kafka.TopicState
		err = d.waiting.untilKafka(ctx, cfg.Config, func(ctx context.Context) error {
			var fault error
			found, fault = kafka.CheckTopics(ctx, cfg)
			if errors.Is(fault, kafka.ErrTopics) {
				return nil
			}
			return fault
		})
		if err != nil {
			return err
		}
		others, err := toAdopt(known, found, only, cfg.Partitions)
		if err != nil {
			return err
		}
		for _, is := range others {
			a, err := d.adopt(ctx, s, cfg, known[is.Topic], is, acceptUnread)
			if err != nil {
				return fmt.Errorf("adopt %s: %w", is.Topic, err)
			}
			done = append(done, a)
		}
		return nil
	})
}

func (d deployment) adopt(ctx context.Context, s topicIdentities, cfg kafka.TopicsConfig, was, is chat.TopicIdentity, acceptUnread bool) (adopted, error) {
	a := adopted{was: was, is: is}
	a.is.Epoch = was.Epoch + 1
	err := d.waiting.untilKafka(ctx, cfg.Config, func(ctx context.Context) (err error) {
		if !slices.Contains(cfg.Groups[d.engines.group], is.Topic) {
			return kafka.GroupIdle(ctx, cfg, d.engines.group)
		}
		a.offsets, err = kafka.RestartGroup(ctx, cfg, kafka.Restart{Group: d.engines.group, Topic: is.Topic, Was: was, AcceptUnread: acceptUnread})
		return err
	})
	if err != nil {
		return a, err
	}
	return a, d.waiting.until(ctx, "the store", func(ctx context.Context) error { return s.PutTopicIdentity(ctx, a.is) })
}

// toAdopt are the topics that are not what the store remembers, all of them or those that are named.
func toAdopt(known map[string]chat.TopicIdentity, found []kafka.TopicState, only []string, partitions int32) (others []chat.TopicIdentity, err error) {
	there := map[string]bool{}
	for _, f := range found {
		is := f.TopicIdentity
		there[is.Topic] = true
		was, remembered := known[is.Topic]
		named := slices.Contains(only, is.Topic)
		if len(only) > 0 && !named {
			continue
		}
		switch same := remembered && was.ID == is.ID && was.Partitions == is.Partitions; {
		case named && !remembered:
			return nil, fmt.Errorf("the store does not know topic %s, so there is nothing to adopt; run `dozaar topics apply`", is.Topic)
		case named && same:
			return nil, fmt.Errorf("topic %s is the one that the store was filled from; there is nothing to adopt", is.Topic)
		case same || !remembered:
			continue
		case partitions > 0 && is.Partitions != partitions:
			return nil, fmt.Errorf("topic %s has %d partitions and DOZAAR_KAFKA_PARTITIONS is %d; set it to %d, or not at all, if the topic is right",
				is.Topic, is.Partitions, partitions, is.Partitions)
		}
		others = append(others, is)
	}
	for _, name := range only {
		if !there[name] {
			return nil, fmt.Errorf("there is no topic %s to adopt; `dozaar topics apply` makes one", name)
		}
	}
	if len(others) == 0 {
		return nil, errors.New("there is nothing to adopt: every topic is the one that the store was filled from, or is new to it")
	}
	return others, nil
}
