package main

// KafkaConfig is how to reach Kafka.
type KafkaConfig struct {
	KafkaBrokers  []string `placeholder:"HOST:PORT" help:"Brokers to begin with; embedded if not given (all only)."`
	KafkaTLS      bool     `name:"kafka-tls" help:"Speak TLS to the brokers."`
	KafkaCAFile   string   `name:"kafka-ca-file" placeholder:"FILE" help:"Certificates to trust, as PEM; the system's if not given."`
	KafkaCertFile string   `name:"kafka-cert-file" placeholder:"FILE" help:"Client certificate, as PEM."`
	KafkaKeyFile  string   `name:"kafka-key-file" placeholder:"FILE" help:"Its key, as PEM."`
	KafkaSASL     string   `name:"kafka-sasl" placeholder:"MECHANISM" help:"PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; without TLS, PLAIN sends the password as it is."`
	KafkaUsername string   `placeholder:"NAME" help:"User, with SASL."`
	KafkaPassword Secret   `placeholder:"SECRET" help:"Password, with SASL."`
}

// TopicsConfig is how topics are made.
type TopicsConfig struct {
	KafkaPartitions int `default:"0" placeholder:"N" help:"Partitions of topics that are made, and what those that exist must have. 0: 64 are made (schemas/topics.yaml), and those that exist keep theirs."`
}

// MemberConfig is who a consumer is.
type MemberConfig struct {
	KafkaInstance string `placeholder:"NAME" help:"Name of this process in its consumer group, which no other one has: started again within 6 s it keeps its partitions, and nothing moves. If not given, each start is a new member."`
}

// RegistryConfig is the schema registry.
type RegistryConfig struct {
	SchemaRegistryURL URL `name:"schema-registry-url" placeholder:"URL" help:"Schema registry, with user:password@ if it wants one; embedded if not given (all only)."`
}

// CassandraConfig is the store.
type CassandraConfig struct {
	CassandraHosts    []string `placeholder:"HOST[:PORT]" help:"Nodes to begin with; embedded SQLite if not given (all only)."`
	CassandraKeyspace string   `default:"dozaar" placeholder:"NAME" help:"Keyspace. Deliver's consumer group is named after it."`
	CassandraDC       string   `name:"cassandra-dc" placeholder:"NAME" help:"Datacenter whose nodes are asked, for all roles the same. Required where there are several."`
	CassandraUsername string   `placeholder:"NAME" help:"User, if it wants one."`
	CassandraPassword Secret   `placeholder:"SECRET" help:"Password, if it wants one."`
	CassandraTLS      bool     `name:"cassandra-tls" help:"Speak TLS to the nodes, whose certificates must name their addresses."`
	CassandraCAFile   string   `name:"cassandra-ca-file" placeholder:"FILE" help:"Certificates to trust, as PEM; the system's if not given."`
}

// KeyspaceConfig is how a keyspace is made.
type KeyspaceConfig struct {
	CassandraReplication int `default:"0" placeholder:"N" help:"Replication factor of a keyspace that is made. 0: 3 where there are three nodes, else 1."`
}

// RedisConfig is presence and relay.
type RedisConfig struct {
	RedisAddrs            []string `placeholder:"HOST:PORT" help:"Redis, or its Sentinels, or nodes of the cluster; embedded if not given (all only)."`
	RedisMaster           string   `placeholder:"NAME" help:"The master's name; the addresses are Sentinels then."`
	RedisCluster          bool     `help:"The addresses are a cluster's."`
	RedisDB               int      `name:"redis-db" default:"0" placeholder:"N" help:"Database number; a cluster has only 0."`
	RedisUsername         string   `placeholder:"NAME" help:"User, if it wants one."`
	RedisPassword         Secret   `placeholder:"SECRET" help:"Password, if it wants one."`
	RedisSentinelPassword Secret   `placeholder:"SECRET" help:"The Sentinels' own password, if they want one."`
	RedisTLS              bool     `name:"redis-tls" help:"Speak TLS, to the Sentinels too."`
	RedisCAFile           string   `name:"redis-ca-file" placeholder:"FILE" help:"Certificates to trust, as PEM; the system's if not given."`
}
