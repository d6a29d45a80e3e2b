package main

import (
	"context"

	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/pkg/presence"
	"github.com/dozaar/dozaar/pkg/relay"
	"github.com/dozaar/dozaar/schemas"
	"github.com/dozaar/dozaar/streams/deliver"
	"github.com/dozaar/dozaar/streams/erase"
)

// deliver builds the role that numbers, stores and rebroadcasts.
func (p *process) deliver(c clients) error {
	partitions := map[string]int32{}
	for name, topic := range c.topics {
		partitions[name] = topic.Partitions
	}
	sender := relay.NewSender(relay.SenderConfig{Redis: c.redis, Name: "deliver-" + p.instance, Logger: p.log, Registerer: p.metrics})
	p.life.Go("deliver's relay", sender.Run)
	stored, err := kafka.NewProducer(kafka.ProducerConfig{Config: c.kafka, Source: "/dozaar/" + p.instance, Patient: true}, c.codec)
	if err != nil {
		return err
	}
	p.life.OnStop("producer of stored messages", stored.Close)
	d := deliver.New(deliver.Config{
		Store:       c.store,
		Owners:      p.directory(c),
		Sender:      sender,
		DeadLetters: c.producer,
		Publisher:   stored,
		Decoder:     c.codec,
		PartitionOf: kafka.Partitions(partitions),
		Logger:      p.log,
		Registerer:  p.metrics,
		Tracer:      p.telling().tracer(),
	})
	p.health.Add("stored", d.Publishing)
	erasing := erase.Config{
		Store: c.store, Publisher: c.producer, Decoder: c.codec, Logger: p.log,
		Stored: func(ctx context.Context) error { return kafka.CaughtUp(ctx, c.quiet(), c.group, schemas.TopicMessages) },
	}
	consumer, err := kafka.NewConsumer(kafka.ConsumerConfig{
		Config: c.kafka, Group: c.group, Topics: delivered(), Instance: p.cfg.Member.KafkaInstance,
		Epoch: func(topic string) int32 { return c.topics[topic].Epoch },
	}, func(topic string, partition int32) kafka.Worker {
		if topic == erase.Topic {
			return erase.New(erasing)
		}
		return d.Worker(topic, partition)
	})
	if err != nil {
		return err
	}
	p.life.Go("deliver", consumer.Run)
	return nil
}

func (p *process) directory(c clients) *presence.Directory {
	return presence.NewDirectory(presence.DirectoryConfig{Redis: c.redis, TTL: p.cfg.Lease.PresenceTTL, Logger: p.log})
}
