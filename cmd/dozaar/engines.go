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
	group    string // of deliver
}

// deliverGroup is the consumer group of the delivers that fill one store. Cassandra is everybody's. The embedded
// store is this data folder's alone, and so is its group: two processes in one group would each store half of
// the messages.
func (p *process) deliverGroup() (string, error) {
	if len(p.cfg.Cassandra.CassandraHosts) > 0 {
		return "dozaar-deliver", nil
	}
	id, err := dataID(p.cfg.Data.DataDir)
	return "dozaar-deliver-" + id, err
}

// engines starts what the settings give no address of.
func (p *process) engines() (e engines, err error) {
	e = engines{brokers: p.cfg.Kafka.KafkaBrokers, registry: string(p.cfg.Kafka.SchemaRegistryURL), redis: p.cfg.Redis.RedisAddrs}
	if e.group, err = p.deliverGroup(); err != nil {
		return e, err
	}
	if len(e.brokers) == 0 {
		kafka, err := embedded.StartKafka(embedded.KafkaConfig{
			Dir: p.dataDir("kafka"), Listen: p.cfg.Embedded.EmbeddedKafka, Protect: []string{e.group}, Logger: p.log,
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
func (e engines) groups() map[string][]string { return map[string][]string{e.group: deliver.Topics()} }
