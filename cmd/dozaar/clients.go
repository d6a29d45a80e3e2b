package main

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/pkg/redis"
	"github.com/dozaar/dozaar/schemas"
	"github.com/dozaar/dozaar/schemas/registry"
)

// clients are the engines as the roles see them. What a role does not use is not there.
type clients struct {
	kafka    kafka.Config
	group    string // of deliver
	codec    *schemas.Codec
	producer *kafka.Producer
	store    store
	redis    redis.Client
	topics   map[string]chat.TopicIdentity // with the log epochs that the store remembers
}

// quiet is how to reach Kafka for a client of a moment, which exports no metrics.
func (c clients) quiet() kafka.Config {
	cfg := c.kafka
	cfg.Registerer = nil
	return cfg
}

// connect opens the clients that the role uses, waits until each engine is there, and checks that it is as the role
// needs it. Nothing is made or changed. The engines are waited for beside each other, so that all that are away are
// named.
func (p *process) connect(ctx context.Context, e engines) (c clients, err error) {
	c.group = e.group
	if c.kafka, err = p.cfg.kafka(e, p.telling()); err != nil {
		return c, err
	}
	tasks, beside := errgroup.WithContext(ctx)
	await := func(check, engine string, until func(ctx context.Context) error) {
		p.health.Add(check, func(context.Context) error { return p.waiting.stateOf(engine) })
		tasks.Go(func() error { return until(beside) })
	}
	await("redis", engineRedis, func(ctx context.Context) (err error) {
		c.redis, err = p.connectRedis(ctx, e)
		return err
	})
	await("store", engineCassandra, func(ctx context.Context) (err error) {
		c.store, err = p.connectStore(ctx)
		return err
	})
	await("kafka", engineKafka, func(ctx context.Context) error { return p.waiting.untilKafkaAnswers(ctx, c.kafka) })
	await("schema registry", engineRegistry, func(ctx context.Context) (err error) {
		c.codec, err = p.connectRegistry(ctx, e)
		return err
	})
	if err := tasks.Wait(); err != nil {
		return c, err
	}
	p.health.Remove("schema registry") // from here on the role does without
	if c.topics, err = p.checkTopics(ctx, c.store, c.kafka, e); err != nil {
		return c, err
	}
	if p.role == roleAll || p.role == roleDeliver {
		if err := p.checkStored(ctx, c); err != nil {
			return c, err
		}
	}
	c.producer, err = p.connectProducer(c)
	return c, err
}

func (p *process) connectRedis(ctx context.Context, e engines) (redis.Client, error) {
	cfg, err := p.cfg.redis(e, p.telling())
	if err != nil {
		return nil, err
	}
	client, err := redis.Open(cfg)
	if err != nil {
		return nil, err
	}
	p.life.OnStop("Redis client", func(context.Context) error { return client.Close() })
	err = p.waiting.until(ctx, engineRedis, func(ctx context.Context) error {
		err := redis.Ready(ctx, client)
		if err != nil && !redis.Refused(err) {
			return fmt.Errorf("redis: %w: %w", chat.ErrUnavailable, err)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("DOZAAR_REDIS_ADDRS: %w", err)
	}
	p.health.Add("redis", func(ctx context.Context) error { return redis.Ready(ctx, client) })
	return client, nil
}

func (p *process) connectStore(ctx context.Context) (store, error) {
	s, err := p.cfg.openStore(ctx, p.waiting, p.telling())
	if err != nil {
		return nil, err
	}
	p.life.OnStop("store", func(context.Context) error { return s.Close() })
	p.health.Add("store", func(ctx context.Context) error {
		_, _, err := s.TopicIdentity(ctx, schemas.TopicMessages)
		return err
	})
	return s, nil
}

// checkTopics wants the log to be the one from which the store was filled. A position in another topic of the same
// name, or in one with more partitions, would not mean what the stored positions mean, and history would be
// overwritten.
func (p *process) checkTopics(ctx context.Context, s store, cfg kafka.Config, e engines) (map[string]chat.TopicIdentity, error) {
	var known map[string]chat.TopicIdentity
	err := p.waiting.until(ctx, "the store", func(ctx context.Context) (err error) {
		known, err = knownTopics(ctx, s)
		return err
	})
	if err != nil {
		return nil, err
	}
	groups := e.groups()
	if p.role == rolePresence || p.role == roleNotify {
		groups = nil // where deliver is in the log is nothing to them
	}
	return known, p.waiting.untilKafka(ctx, cfg, func(ctx context.Context) error {
		_, err := kafka.NeedTopics(ctx, kafka.TopicsConfig{Config: cfg, Known: known, Groups: groups})
		return err
	})
}

// connectRegistry looks the schemas' ids up. After that a registry that is away stops nobody: ids are kept, and only a
// schema that is new to the process waits for it.
func (p *process) connectRegistry(ctx context.Context, e engines) (codec *schemas.Codec, err error) {
	client, err := registry.New(nil, e.registry)
	if err != nil {
		return nil, err
	}
	p.life.OnStop("schema registry client", func(context.Context) error { client.Close(); return nil })
	return codec, p.waiting.until(ctx, engineRegistry, func(ctx context.Context) error {
		codec, err = schemas.NewCodec(ctx, client)
		return err
	})
}

// connectProducer makes the producer, and has it refuse as soon as a topic is no longer the one that was checked.
func (p *process) connectProducer(c clients) (*kafka.Producer, error) {
	producer, err := kafka.NewProducer(kafka.ProducerConfig{Config: c.kafka, Source: "/dozaar/" + p.instance}, c.codec)
	if err != nil {
		return nil, err
	}
	p.life.OnStop("producer", producer.Close)
	p.health.Add("kafka", producer.Ready)
	watch, err := kafka.NewWatch(kafka.WatchConfig{Config: c.kafka, Topics: sorted(c.topics)})
	if err != nil {
		return nil, err
	}
	p.life.Go("topics", func(ctx context.Context) error {
		err := watch.Run(ctx)
		if err != nil {
			producer.Refuse(err)
		}
		return err
	})
	return producer, nil
}
