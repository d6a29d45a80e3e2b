package main

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/pkg/redis"
	"github.com/dozaar/dozaar/pkg/store/cassandra"
	"github.com/dozaar/dozaar/streams/deliver"
	"github.com/dozaar/dozaar/streams/erase"
)

// engines are the addresses of what the product stands on, given or embedded: from here on nobody knows which.
type engines struct {
	brokers  []string
	registry string
	redis    []string
	group    string // of deliver
}

// given are the engines whose addresses are settings.
func (c Config) given() engines {
	return engines{
		brokers: c.Kafka.KafkaBrokers, registry: string(c.Registry.SchemaRegistryURL), redis: c.Redis.RedisAddrs,
		group: c.Cassandra.CassandraKeyspace + "-deliver",
	}
}

// groups are the consumer groups and what they read. A group belongs to a store: the delivers of one group share
// the messages out, and each store wants all of them. Cassandra's is named after its keyspace, the embedded store's
// after its data folder.
func (e engines) groups() map[string][]string { return map[string][]string{e.group: delivered()} }

// delivered is what the role deliver reads: what it delivers, and what is to be erased.
func delivered() []string { return append(deliver.Topics(), erase.Topic) }

// telling is who a client is and where it tells what it does. A metric is registered once in a process.
type telling struct {
	name    string
	log     *slog.Logger
	metrics prometheus.Registerer // nil: not told
	traces  trace.TracerProvider  // nil: nothing is traced
}

func (c Config) kafka(e engines, t telling) (kafka.Config, error) {
	tls, err := c.Kafka.tls().config()
	return kafka.Config{
		Brokers: e.brokers, ClientID: t.name, TLS: tls, Logger: t.log, Registerer: t.metrics, Traces: t.traces,
		SASL: kafka.SASL{
			Mechanism: c.Kafka.KafkaSASL, Username: c.Kafka.KafkaUsername, Password: string(c.Kafka.KafkaPassword.Reveal()),
		},
	}, err
}

func (c Config) cassandra(t telling) (cassandra.Config, error) {
	tls, err := c.Cassandra.tls().config()
	return cassandra.Config{
		WideAge: 5 * time.Second, // as long as a removed member may be taken for one elsewhere
		Hosts:   c.Cassandra.CassandraHosts, Keyspace: c.Cassandra.CassandraKeyspace, LocalDC: c.Cassandra.CassandraDC,
		Username: c.Cassandra.CassandraUsername, Password: string(c.Cassandra.CassandraPassword.Reveal()), TLS: tls,
		Replication: c.Keyspace.CassandraReplication, Logger: t.log, Registerer: t.metrics, Tracer: t.tracer(),
	}, err
}

func (c Config) redis(e engines, t telling) (redis.Config, error) {
	tls, err := c.Redis.tls().config()
	return redis.Config{
		Addrs: e.redis, MasterName: c.Redis.RedisMaster, Cluster: c.Redis.RedisCluster, DB: c.Redis.RedisDB,
		Username: c.Redis.RedisUsername, Password: string(c.Redis.RedisPassword.Reveal()),
		SentinelPassword: string(c.Redis.RedisSentinelPassword.Reveal()), TLS: tls, Logger: t.log, Registerer: t.metrics,
	}, err
}
