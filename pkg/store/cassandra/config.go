package cassandra

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"strconv"
	"time"

	"github.com/gocql/gocql"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
)

// Config says where Cassandra is and how it is asked. What is zero gets the default named beside it.
type Config struct {
	Hosts       []string // host or host:port (9042); the other nodes are found through these
	Keyspace    string   // dozaar
	LocalDC     string   // the datacenter whose nodes are asked, and no other's; empty where there is one
	Consistency string   // LOCAL_QUORUM, or QUORUM: of every read and write
	Username    string   // empty: no authentication
	Password    string
	TLS         *tls.Config // nil: none

	// Replication is the replication factor, in each datacenter, of a keyspace that Migrate makes: 3 where there
	// are three nodes, else 1. One that exists is left as it is.
	Replication int
	// Timeout is how long one request may take: 6 s. It should be more than the servers' own timeouts (5 s for a
	// read), whose answer says more than silence, and which would go on working for nobody.
	Timeout time.Duration
	// Concurrency is how many requests one call has under way at most: 64.
	Concurrency int
	// WideAbove is the number of members above which a conversation's activity is no longer copied to their inboxes,
	// but looked up by each of their readers: 32.
	WideAbove int
	// WideAge is how old members may be of a conversation with more than that, where Peers tells who shares it: so one into which thousands
	// come is not read for each of them. 0: they are read each time.
	WideAge time.Duration

	Logger     *slog.Logger          // nil: nothing is logged
	Registerer prometheus.Registerer // nil: metrics are counted and not exported
	Tracer     trace.Tracer          // nil: nothing is traced
}

func (c Config) withDefaults() Config {
	if c.Keyspace == "" {
		c.Keyspace = "dozaar"
	}
	if c.Consistency == "" {
		c.Consistency = "LOCAL_QUORUM"
	}
	if c.Timeout == 0 {
		c.Timeout = 6 * time.Second
	}
	if c.Concurrency == 0 {
		c.Concurrency = 64
	}
	if c.WideAbove == 0 {
		c.WideAbove = 32
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// consistencies are the levels to choose from, each with the one its lightweight transactions decide at. Anything
// less than a quorum would lose what was acknowledged.
var consistencies = map[string]struct {
	level  gocql.Consistency
	serial gocql.SerialConsistency
}{
	"LOCAL_QUORUM": {gocql.LocalQuorum, gocql.LocalSerial},
	"QUORUM":       {gocql.Quorum, gocql.Serial},
}

var keyspaceName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)

// CheckKeyspace says what is wrong with the name of a keyspace.
func CheckKeyspace(name string) error {
	if !keyspaceName.MatchString(name) {
		return fmt.Errorf("%q is no name of a keyspace: want a lower-case letter, then up to 47 letters, digits and underscores", name)
	}
	return nil
}

// cluster is the driver's configuration, for sessions in a keyspace or, where that is empty, in none.
func (c Config) cluster(keyspace string) (*gocql.ClusterConfig, error) {
	if len(c.Hosts) == 0 {
		return nil, fmt.Errorf("no hosts are configured")
	}
	if err := CheckKeyspace(c.Keyspace); err != nil {
		return nil, err
	}
	consistency, known := consistencies[c.Consistency]
	if !known {
		return nil, fmt.Errorf("consistency %q is not LOCAL_QUORUM or QUORUM", c.Consistency)
	}
	cluster := gocql.NewCluster(c.Hosts...)
	if _, port, err := net.SplitHostPort(c.Hosts[0]); err == nil {
		// Nodes that are not named here are found without their port.
		if cluster.Port, err = strconv.Atoi(port); err != nil {
			return nil, fmt.Errorf("host %s: the port is no number", c.Hosts[0])
		}
	}
	cluster.Keyspace = keyspace
	cluster.ProtoVersion = 4
	cluster.Consistency, cluster.SerialConsistency = consistency.level, consistency.serial
	cluster.Timeout, cluster.WriteTimeout = c.Timeout, c.Timeout
	cluster.ConnectTimeout = min(c.Timeout, 5*time.Second)
	cluster.WriteCoalesceWaitTime = 0 // gathering does it, and nobody waits
	cluster.Dialer = gatherer{net.Dialer{Timeout: cluster.ConnectTimeout, KeepAlive: 15 * time.Second}, c.Timeout, c.Logger}
	cluster.DefaultTimestamp = false // a write's timestamp is in its statement, or the transaction's
	cluster.RetryPolicy = retryPolicy{}
	cluster.ReconnectInterval = time.Second // of nodes that are down: the default is a minute
	cluster.ReconnectionPolicy = &gocql.ConstantReconnectionPolicy{MaxRetries: 3, Interval: 100 * time.Millisecond}
	cluster.Logger = driverLog{c.Logger}
	newObserver(c.Registerer, c.Tracer).watch(cluster)
	fallback := gocql.RoundRobinHostPolicy()
	if c.LocalDC != "" {
		fallback = gocql.DCAwareRoundRobinPolicy(c.LocalDC)
	}
	cluster.PoolConfig.HostSelectionPolicy = tokenAware(fallback)
	if c.Username != "" {
		cluster.Authenticator = gocql.PasswordAuthenticator{Username: c.Username, Password: c.Password}
	}
	if c.TLS != nil {
		// Not left to the driver's default, which would take any certificate: each node's must name the address
		// that is dialled, which for nodes that are found through others is an IP.
		cluster.SslOpts = &gocql.SslOptions{Config: c.TLS, EnableHostVerification: true}
	}
	return cluster, nil
}

// tokenAware asks a row's replicas first, in any order, and no node twice.
func tokenAware(fallback gocql.HostSelectionPolicy) gocql.HostSelectionPolicy {
	return distinct{gocql.TokenAwareHostPolicy(fallback, gocql.ShuffleReplicas()).(bulkPolicy)}
}

// driverLog takes what the driver says of connections that come and go.
type driverLog struct{ log *slog.Logger }

func (l driverLog) say(text string) { l.log.Debug("cassandra driver", "text", text) }

func (l driverLog) Print(v ...any)                 { l.say(fmt.Sprint(v...)) }
func (l driverLog) Printf(format string, v ...any) { l.say(fmt.Sprintf(format, v...)) }
func (l driverLog) Println(v ...any)               { l.say(fmt.Sprintln(v...)) }
