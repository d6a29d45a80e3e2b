package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/pkg/redis"
	"github.com/dozaar/dozaar/schemas"
	"github.com/dozaar/dozaar/schemas/registry"
)

// clients are the engines as the roles see them.
type clients struct {
	kafka    kafka.Config
	group    string // of deliver
	codec    *schemas.Codec
	producer *kafka.Producer
	store    store
	redis    redis.Client
	epochs   map[string]int32 // log epoch by topic
	// partitions is the number of partitions by topic.
	partitions map[string]int32
}

// connect opens the clients, makes topics and registers schemas where they are missing, and checks
// that the log is the one from which the store was filled.
func (p *process) connect(ctx context.Context, e engines) (c clients, err error) {
	if c.redis, err = redis.Open(redis.Config{Addrs: e.redis, Logger: p.log, Registerer: p.metrics}); err != nil {
		return c, err
	}
	p.life.OnStop("Redis client", func(context.Context) error { return c.redis.Close() })
	p.health.Add("redis", func(ctx context.Context) error { return c.redis.Ping(ctx).Err() })

	if c.store, err = p.openStore(ctx); err != nil {
		return c, err
	}
	p.life.OnStop("store", func(context.Context) error { return c.store.Close() })
	p.health.Add("store", func(ctx context.Context) error {
		_, _, err := c.store.TopicIdentity(ctx, schemas.TopicMessages)
		return err
	})

	c.group = e.group
	c.kafka = kafka.Config{Brokers: e.brokers, ClientID: p.instance, Logger: p.log, Registerer: p.metrics}
	topics, err := kafka.EnsureTopics(ctx, kafka.TopicsConfig{
		Config: c.kafka, Partitions: int32(p.cfg.Kafka.KafkaPartitions), Groups: e.groups(),
	})
	if err != nil {
		return c, err
	}
	consumed, err := kafka.HasConsumed(ctx, c.kafka, e.group)
	if err != nil {
		return c, err
	}
	if c.epochs, err = matchTopics(ctx, c.store, topics, consumed); err != nil {
		return c, err
	}
	c.partitions = map[string]int32{}
	for _, topic := range topics {
		c.partitions[topic.Topic] = topic.Partitions
	}

	schemaRegistry, err := registry.New(nil, e.registry)
	if err != nil {
		return c, err
	}
	p.life.OnStop("schema registry client", func(context.Context) error { schemaRegistry.Close(); return nil })
	if err := schemas.Register(ctx, schemaRegistry); err != nil {
		return c, fmt.Errorf("register the schemas: %w", err)
	}
	if c.codec, err = schemas.NewCodec(ctx, schemaRegistry); err != nil {
		return c, err
	}
	if c.producer, err = kafka.NewProducer(kafka.ProducerConfig{Config: c.kafka, Source: "/dozaar/" + p.instance}, c.codec); err != nil {
		return c, err
	}
	p.life.OnStop("producer", c.producer.Close)
	p.health.Add("kafka", c.producer.Ready)
	return c, nil
}

// matchTopics compares the topics with what the store remembers, and has it remember new ones. A
// position in another topic of the same name, or in one with more partitions, would not mean what the
// stored positions mean, and history would be overwritten: that is refused. So is a store that knows no topic
// although records were consumed: what they said is not in it, and would never come again.
func matchTopics(ctx context.Context, store topicIdentities, topics []chat.TopicIdentity, consumed bool) (epochs map[string]int32, err error) {
	epochs = map[string]int32{}
	var faults []error
	for _, topic := range topics {
		known, found, err := store.TopicIdentity(ctx, topic.Topic)
		if err != nil {
			return nil, err
		}
		if !found && consumed {
			return nil, fmt.Errorf("the store is empty, but the log's records were consumed into one already: bring back that store, or start with an empty log")
		}
		if !found {
			if err := store.PutTopicIdentity(ctx, topic); err != nil {
				return nil, err
			}
			known = topic
		}
		if known.ID != topic.ID || known.Partitions != topic.Partitions {
			faults = append(faults, fmt.Errorf(
				"topic %s is not the one that the store was filled from (id %s with %d partitions, was %s with %d): bring back that log, or start with an empty store",
				topic.Topic, topic.ID, topic.Partitions, known.ID, known.Partitions))
		}
		epochs[topic.Topic] = known.Epoch
	}
	return epochs, errors.Join(faults...)
}
