package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dozaar/dozaar/pkg/api"
	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/gateway"
	"github.com/dozaar/dozaar/pkg/store/cassandra"
	"github.com/dozaar/dozaar/pkg/store/sqlite"
	"github.com/dozaar/dozaar/streams/deliver"
	"github.com/dozaar/dozaar/streams/presence"
)

// store is what all roles together need of one.
type store interface {
	gateway.Store
	deliver.Store
	presence.Peers
	api.Conversations
	api.History
	api.Inbox
	topicIdentities
	Close() error
}

// topicIdentities is what a store remembers of topics.
type topicIdentities interface {
	TopicIdentity(ctx context.Context, topic string) (chat.TopicIdentity, bool, error)
	PutTopicIdentity(ctx context.Context, identity chat.TopicIdentity) error
}

// openStore opens Cassandra where it is given, with its tables made, else the embedded store.
func (p *process) openStore(ctx context.Context) (store, error) {
	if hosts := p.cfg.Cassandra.CassandraHosts; len(hosts) > 0 {
		cfg := cassandra.Config{Hosts: hosts, Logger: p.log, Registerer: p.metrics}
		if _, err := cassandra.Migrate(ctx, cfg); err != nil {
			return nil, fmt.Errorf("DOZAAR_CASSANDRA_HOSTS: %w", err)
		}
		return cassandra.Open(ctx, cfg)
	}
	dir := p.dataDir("store")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("DOZAAR_DATA_DIR: %w", err)
	}
	return sqlite.Open(ctx, filepath.Join(dir, "dozaar.db"), p.log, p.metrics)
}
