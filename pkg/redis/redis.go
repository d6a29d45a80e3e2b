// Package redis opens the one client that presence and relay share.
//
// It promises a client that is single, Sentinel or Cluster by configuration, whose commands end in
// bounded time, are retried with jitter where that is safe, obey the deadline of their context, and
// report to metrics whether Redis serves them. It finds the master again after a failover, also where
// the old one goes on answering or is silent. It knows no key and no command: what is kept in Redis is
// the business of pkg/presence and pkg/relay, which own their keys (the table is in docs/redis.md).
//
// The rule for their commands: a command on several keys, and a script, touches keys of one hash slot, which
// are all passed as KEYS. Looked at one by one, the scripts of presence take the keys of one shard, which are in
// one slot by their braces; liveGateways, register and openStream of relay take one key each. redistest's
// clients hold every test to it.
package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/dozaar/dozaar/pkg/metric"
)

// Client is what Open returns, for those who only hand it on.
type Client = goredis.UniversalClient

// Config says where Redis is. Only Addrs is required.
type Config struct {
	// Addrs are host:port. One address is a single server unless Cluster is set, several are the
	// seeds of a cluster; with MasterName they are Sentinels, all of them: a majority is asked.
	Addrs      []string
	MasterName string
	Cluster    bool

	Username, Password                 string
	SentinelUsername, SentinelPassword string
	DB                                 int // not with Cluster
	TLS                                *tls.Config

	PoolSize   int                   // connections per node; default 32
	Registerer prometheus.Registerer // nil: no metrics

	// Logger takes what the client library has to say (connections lost and made). The library has
	// one for the whole process: the last one given counts.
	Logger *slog.Logger
}

// The bounds of one command. A command that fails is tried three times in all, so a server that
// refuses costs a fraction of a second, and one that swallows packets costs at most
// attempts × readTimeout, or the caller's deadline if that is nearer. In a cluster the first attempt may
// only learn where the key is, so there is one more.
const (
	dialTimeout     = 2 * time.Second
	readTimeout     = 2 * time.Second
	writeTimeout    = 2 * time.Second
	poolTimeout     = 2 * time.Second
	idleTimeout     = 5 * time.Minute
	maxLifetime     = 30 * time.Minute
	lifetimeJitter  = 5 * time.Minute
	retries         = 2
	minRetryBackoff = 10 * time.Millisecond
	maxRetryBackoff = 250 * time.Millisecond
	defaultPool     = 32
)

// Open returns a client. It does not wait for Redis to answer: the parts that use it retry by
// themselves, so engines may come up in any order. The caller closes it.
func Open(cfg Config) (goredis.UniversalClient, error) {
	if len(cfg.Addrs) == 0 {
		return nil, errors.New("redis: no address is configured")
	}
	if cfg.Cluster && (cfg.DB != 0 || cfg.MasterName != "") {
		return nil, errors.New("redis: a cluster has neither a database number nor a Sentinel master")
	}
	if cfg.PoolSize == 0 {
		cfg.PoolSize = defaultPool
	}
	if cfg.Logger != nil {
		goredis.SetLogger(libraryLog{cfg.Logger})
	}
	client, notice := dial(cfg)
	client.AddHook(newHealth(cfg.Registerer, notice)) // the first is the outermost
	if _, ok := client.(*goredis.ClusterClient); ok {
		client.AddHook(clusterPipelines{})
	}
	metric.Registered(cfg.Registerer, newPool(client.PoolStats))
	return client, nil
}

// dial makes the client, and what is to be told whether a command was served: the library finds a new master
// only where an old one, or a node of the cluster, says that there is another one.
func dial(cfg Config) (client goredis.UniversalClient, notice func(served bool)) {
	switch {
	case cfg.MasterName != "":
		s := newSentinels(cfg)
		opts := baseOptions(cfg)
		opts.Addr, opts.Dialer = cfg.MasterName, s.dial
		return sentinelClient{goredis.NewClient(opts), s}, s.notice
	case cfg.Cluster || len(cfg.Addrs) > 1:
		cluster := goredis.NewClusterClient(clusterOptions(cfg))
		return cluster, func(served bool) {
			if !served { // the map of the slots may be old; one reload at a time, beside the commands
				cluster.ReloadState(context.Background())
			}
		}
	}
	opts := baseOptions(cfg)
	opts.Addr = cfg.Addrs[0]
	return goredis.NewClient(opts), func(bool) {}
}

// baseOptions are those of a client of one server.
func baseOptions(cfg Config) *goredis.Options {
	return &goredis.Options{
		DB:        cfg.DB,
		Username:  cfg.Username,
		Password:  cfg.Password,
		TLSConfig: cfg.TLS,

		DialTimeout:   dialTimeout,
		DialerRetries: 1, // commands are retried as a whole; dialling again inside one would multiply
		ReadTimeout:   readTimeout,
		WriteTimeout:  writeTimeout,
		PoolTimeout:   poolTimeout,
		PoolSize:      cfg.PoolSize,
		// Blocking reads and shutdown rely on it: without it a deadline is ignored once a command is out.
		ContextTimeoutEnabled: true,

		// The library draws the wait between two attempts at random below a doubling bound.
		MaxRetries:      retries,
		MinRetryBackoff: minRetryBackoff,
		MaxRetryBackoff: maxRetryBackoff,

		ConnMaxIdleTime:       idleTimeout,
		ConnMaxLifetime:       maxLifetime,
		ConnMaxLifetimeJitter: lifetimeJitter,

		// Nothing here needs push messages, and not every server that speaks Redis knows them.
		Protocol:                 2,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// clusterOptions are the same for a cluster. A command is tried again by the cluster's client, which may go to
// another node; if each node's client tried again as well, the attempts would multiply.
func clusterOptions(cfg Config) *goredis.ClusterOptions {
	o := baseOptions(cfg)
	return &goredis.ClusterOptions{
		Addrs:     cfg.Addrs,
		Username:  o.Username,
		Password:  o.Password,
		TLSConfig: o.TLSConfig,

		DialTimeout:           o.DialTimeout,
		DialerRetries:         o.DialerRetries,
		ReadTimeout:           o.ReadTimeout,
		WriteTimeout:          o.WriteTimeout,
		PoolTimeout:           o.PoolTimeout,
		PoolSize:              o.PoolSize,
		ContextTimeoutEnabled: o.ContextTimeoutEnabled,

		MaxRetries:             -1,
		MaxRedirects:           retries + 1, // one more: the first answer may only say where the key is
		MinRetryBackoff:        o.MinRetryBackoff,
		MaxRetryBackoff:        o.MaxRetryBackoff,
		DisableRoutingPolicies: true, // PING would go to every node, and fail with the first

		ConnMaxIdleTime:       o.ConnMaxIdleTime,
		ConnMaxLifetime:       o.ConnMaxLifetime,
		ConnMaxLifetimeJitter: o.ConnMaxLifetimeJitter,

		Protocol:                 o.Protocol,
		DisableIdentity:          o.DisableIdentity,
		MaintNotificationsConfig: o.MaintNotificationsConfig,
	}
}
