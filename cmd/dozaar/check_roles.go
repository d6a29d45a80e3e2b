package main

// roleConfig is the configuration of one role: what it uses must be right, and there.
type roleConfig struct {
	Config
	role string
}

func (c Config) of(role string) roleConfig { return roleConfig{c, role} }

func (c roleConfig) check(p *problems) {
	for _, group := range c.groups() {
		group.check(p)
	}
	gateway := c.role == roleAll || c.role == roleGateway
	if gateway && same(c.HTTP.Listen, c.Process.AdminListen) {
		p.add("admin-listen", "is the same address as DOZAAR_LISTEN; choose another port")
	}
	if gateway {
		c.checkKey(p)
		c.checkGrace(p)
		if c.HTTP.DrainDelay > 0 && c.HTTP.DrainDelay >= c.Process.ShutdownTimeout {
			p.add("drain-delay", "must be shorter than the shutdown timeout (%s), of which it is a part, is %s: nothing would be left to drain in", c.Process.ShutdownTimeout, c.HTTP.DrainDelay)
		}
	}
	if c.role == roleAll {
		c.checkEmbedded(p)
		return
	}
	for _, engine := range c.engines() {
		if !engine.given {
			p.add(engine.flag, "is not set; the role %s has no embedded engines", c.role)
		}
	}
}

// groups are what the role uses.
func (c roleConfig) groups() []checker {
	switch c.role {
	case roleGateway:
		return []checker{c.Process, c.HTTP, c.Tokens, c.Sockets, c.Lease, c.Presence, c.Audience, c.Data, c.Kafka, c.Registry, c.Cassandra, c.Redis}
	case roleDeliver:
		return []checker{c.Process, c.Lease, c.Kafka, c.Registry, c.Cassandra, c.Redis}
	case roleArchive:
		return []checker{c.Process, c.Kafka, c.Registry}
	case rolePresence:
		return []checker{c.Process, c.Lease, c.Audience, c.Kafka, c.Registry, c.Cassandra, c.Redis}
	case roleNotify:
		return []checker{c.Process, c.Notify, c.Lease, c.Kafka, c.Registry, c.Cassandra, c.Redis}
	}
	return []checker{c.Process, c.HTTP, c.Tokens, c.Sockets, c.Lease, c.Presence, c.Audience, c.Notify, c.Data, c.Kafka, c.Topics, c.Registry,
		c.Cassandra, c.Keyspace, c.Redis, c.Embedded}
}

type neededEngine struct {
	flag  string
	given bool
}

// engines are what a role that runs by itself needs.
func (c roleConfig) engines() []neededEngine {
	log := []neededEngine{{"kafka-brokers", len(c.Kafka.KafkaBrokers) > 0}, {"schema-registry-url", c.Registry.SchemaRegistryURL != ""}}
	if c.role == roleArchive {
		return log
	}
	return append(log, neededEngine{"cassandra-hosts", len(c.Cassandra.CassandraHosts) > 0}, neededEngine{"redis-addrs", len(c.Redis.RedisAddrs) > 0})
}

func (c roleConfig) checkKey(p *problems) {
	if err := c.CheckGateway(); err != nil {
		p.add("jwt-secret", "%v", err)
	}
}

func (c roleConfig) checkGrace(p *problems) {
	if c.Presence.PresenceGrace < 0 || c.Presence.PresenceGrace >= c.Lease.PresenceTTL {
		p.add("presence-grace", "must be shorter than the presence TTL (%s), is %s", c.Lease.PresenceTTL, c.Presence.PresenceGrace)
	}
}

// checkEmbedded names settings of engines whose addresses are not given: somebody thinks that they hold.
func (c roleConfig) checkEmbedded(p *problems) {
	for _, s := range []struct {
		flag, engine string
		set, given   bool
	}{
		{"kafka-tls", "kafka-brokers", c.Kafka.KafkaTLS, len(c.Kafka.KafkaBrokers) > 0},
		{"kafka-sasl", "kafka-brokers", c.Kafka.KafkaSASL != "", len(c.Kafka.KafkaBrokers) > 0},
		{"cassandra-tls", "cassandra-hosts", c.Cassandra.CassandraTLS, len(c.Cassandra.CassandraHosts) > 0},
		{"cassandra-username", "cassandra-hosts", c.Cassandra.CassandraUsername != "", len(c.Cassandra.CassandraHosts) > 0},
		{"redis-tls", "redis-addrs", c.Redis.RedisTLS, len(c.Redis.RedisAddrs) > 0},
		{"redis-password", "redis-addrs", c.Redis.RedisPassword.IsSet(), len(c.Redis.RedisAddrs) > 0},
		{"redis-master", "redis-addrs", c.Redis.RedisMaster != "", len(c.Redis.RedisAddrs) > 0},
		{"redis-cluster", "redis-addrs", c.Redis.RedisCluster, len(c.Redis.RedisAddrs) > 0},
	} {
		if s.set && !s.given {
			p.add(s.flag, "is set, but %s is not: the embedded engine has none of it", variable(s.engine))
		}
	}
}
