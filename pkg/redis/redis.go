// Package redis opens the one client that presence and relay share.
//
// It promises a client that is single, Sentinel or Cluster by configuration, whose commands end in
// bounded time, are retried with jitter where that is safe, obey the deadline of their context, and
// report to metrics whether Redis answers. It knows no key and no command: what is kept in Redis is
// the business of pkg/presence and pkg/relay, which own their keys.
package redis

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Client is what Open returns, for those who only hand it on.
type Client = goredis.UniversalClient

// Config says where Redis is. Only Addrs is required.
type Config struct {
	// Addrs are host:port. One address is a single server unless Cluster is set, several are the
	// seeds of a cluster; with MasterName they are Sentinels.
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
// attempts × readTimeout, or the caller's deadline if that is nearer.
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
	client := goredis.NewUniversalClient(&goredis.UniversalOptions{
		Addrs:            cfg.Addrs,
		MasterName:       cfg.MasterName,
		IsClusterMode:    cfg.Cluster,
		DB:               cfg.DB,
		Username:         cfg.Username,
		Password:         cfg.Password,
		SentinelUsername: cfg.SentinelUsername,
		SentinelPassword: cfg.SentinelPassword,
		TLSConfig:        cfg.TLS,

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
	})
	client.AddHook(newHealth(cfg.Registerer))
	return client, nil
}
