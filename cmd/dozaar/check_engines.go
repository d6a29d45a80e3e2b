package main

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/pkg/store/cassandra"
)

func (c KafkaConfig) check(p *problems) {
	dialable(p, "kafka-brokers", c.KafkaBrokers)
	c.tls().check(p)
	if c.KafkaSASL == "" {
		unset(p, "kafka-sasl", map[string]bool{"kafka-username": c.KafkaUsername != "", "kafka-password": c.KafkaPassword.IsSet()})
		return
	}
	if !slices.Contains(kafka.SASLMechanisms(), c.KafkaSASL) {
		p.add("kafka-sasl", "must be %s, is %q", strings.Join(kafka.SASLMechanisms(), ", "), c.KafkaSASL)
	}
	if c.KafkaUsername == "" {
		p.add("kafka-username", "is not set, and DOZAAR_KAFKA_SASL needs it")
	}
	if !c.KafkaPassword.IsSet() {
		p.add("kafka-password", "is not set, and DOZAAR_KAFKA_SASL needs it")
	}
}

func (c TopicsConfig) check(p *problems) {
	if c.KafkaPartitions < 0 || c.KafkaPartitions > 10_000 {
		p.add("kafka-partitions", "must be between 1 and 10000, or 0, is %d", c.KafkaPartitions)
	}
}

func (c RegistryConfig) check(p *problems) {
	if c.SchemaRegistryURL == "" {
		return
	}
	u, err := url.Parse(string(c.SchemaRegistryURL))
	if err != nil || u.Hostname() == "" || (u.Port() != "" && !isPort(u.Port(), 1)) || (u.Scheme != "http" && u.Scheme != "https") {
		p.add("schema-registry-url", "must be an http or https URL")
	}
}

func (c CassandraConfig) check(p *problems) {
	for _, host := range c.CassandraHosts {
		if _, _, err := net.SplitHostPort(host); err == nil {
			dialable(p, "cassandra-hosts", []string{host})
		} else if host == "" || strings.ContainsAny(host, " /") {
			p.add("cassandra-hosts", "%q is no host; write HOST or HOST:PORT", host)
		}
	}
	if err := cassandra.CheckKeyspace(c.CassandraKeyspace); err != nil {
		p.add("cassandra-keyspace", "%v", err)
	}
	c.tls().check(p)
	switch {
	case c.CassandraUsername != "" && !c.CassandraPassword.IsSet():
		p.add("cassandra-password", "is not set, but DOZAAR_CASSANDRA_USERNAME is")
	case c.CassandraUsername == "" && c.CassandraPassword.IsSet():
		p.add("cassandra-username", "is not set, but DOZAAR_CASSANDRA_PASSWORD is")
	}
}

func (c KeyspaceConfig) check(p *problems) {
	if c.CassandraReplication < 0 || c.CassandraReplication > 100 {
		p.add("cassandra-replication", "must be between 1 and 100, or 0, is %d", c.CassandraReplication)
	}
}

func (c RedisConfig) check(p *problems) {
	dialable(p, "redis-addrs", c.RedisAddrs)
	c.tls().check(p)
	switch {
	case c.RedisCluster && c.RedisMaster != "":
		p.add("redis-cluster", "is set and DOZAAR_REDIS_MASTER too: it is a cluster, or a master that Sentinels know")
	case len(c.RedisAddrs) > 1 && !c.RedisCluster && c.RedisMaster == "":
		p.add("redis-addrs", "names several: set DOZAAR_REDIS_CLUSTER if they are a cluster's nodes, or DOZAAR_REDIS_MASTER if they are Sentinels")
	}
	if c.RedisDB < 0 || c.RedisCluster && c.RedisDB != 0 {
		p.add("redis-db", "must be 0 or more, and 0 with a cluster, is %d", c.RedisDB)
	}
	if c.RedisUsername != "" && !c.RedisPassword.IsSet() {
		p.add("redis-password", "is not set, but DOZAAR_REDIS_USERNAME is")
	}
	if c.RedisSentinelPassword.IsSet() && c.RedisMaster == "" {
		p.add("redis-sentinel-password", "is set, but DOZAAR_REDIS_MASTER is not")
	}
}

// unset names flags that mean nothing without another one.
func unset(p *problems, without string, flags map[string]bool) {
	for flag, set := range flags {
		if set {
			p.add(flag, "is set, but %s is not", variable(without))
		}
	}
}
