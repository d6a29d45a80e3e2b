package main

import (
	"context"
	"path/filepath"

	"github.com/dozaar/dozaar/pkg/embedded"
	"github.com/dozaar/dozaar/streams/deliver"
)

// engines are the addresses of what the product stands on, given or embedded: from here on nobody knows which.
type engines struct {
	brokers  []string
	registry string
	redis    []string
}

// deliverGroup is the consumer group of every deliver.
const deliverGroup = "dozaar-deliver"

// engines starts what the settings give no address of.
func (p *process) engines() (engines, error) {
	e := engines{brokers: p.cfg.Kafka.KafkaBrokers, registry: string(p.cfg.Kafka.SchemaRegistryURL), redis: p.cfg.Redis.RedisAddrs}
	if len(e.brokers) == 0 {
		kafka, err := embedded.StartKafka(embedded.KafkaConfig{
			Dir: p.dataDir("kafka"), Listen: p.cfg.Embedded.EmbeddedKafka, Protect: []string{deliverGroup}, Logger: p.log,
		})
		if err != nil {
			return e, err
		}
		p.life.OnStop("embedded Kafka", func(context.Context) error { return kafka.Close() })
		p.life.Go("embedded Kafka's retention", kafka.Run)
		e.brokers = []string{kafka.Addr()}
	}
	if e.registry == "" {
		registry, err := embedded.StartRegistry(embedded.RegistryConfig{
			Dir: p.dataDir("registry"), Listen: p.cfg.Embedded.EmbeddedRegistry, Logger: p.log,
		})
		if err != nil {
			return e, err
		}
		p.life.OnStop("embedded schema registry", func(context.Context) error { return registry.Close() })
		e.registry = registry.URL()
	}
	if len(e.redis) == 0 {
		redis, err := embedded.StartRedis()
		if err != nil {
			return e, err
		}
		p.life.OnStop("embedded Redis", func(context.Context) error { redis.Close(); return nil })
		p.life.Go("embedded Redis' clock", redis.Run)
		e.redis = []string{redis.Addr()}
	}
	return e, nil
}

func (p *process) dataDir(of string) string { return filepath.Join(p.cfg.Data.DataDir, of) }

// groups are the consumer groups and what they read.
func groups() map[string][]string { return map[string][]string{deliverGroup: deliver.Topics()} }
