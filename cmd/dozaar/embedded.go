package main

import (
	"context"
	"path/filepath"

	"github.com/dozaar/dozaar/pkg/embedded"
)

// embedded starts what the settings give no address of.
func (p *process) embedded() (e engines, err error) {
	e = p.cfg.given()
	if len(p.cfg.Cassandra.CassandraHosts) == 0 {
		// The embedded store is this data folder's alone, and so is its group: two processes in one group would each
		// store half of the messages.
		id, err := dataID(p.cfg.Data.DataDir)
		if err != nil {
			return e, err
		}
		e.group = "dozaar-deliver-" + id
	}
	if len(e.brokers) == 0 {
		kafka, err := embedded.StartKafka(embedded.KafkaConfig{
			Dir: p.dataDir("kafka"), Listen: p.cfg.Embedded.EmbeddedKafka, Protect: []string{e.group, groupBeside(e.group, "notify")}, Logger: p.log,
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
