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
	"github.com/dozaar/dozaar/schemas"
	"github.com/dozaar/dozaar/streams/deliver"
	"github.com/dozaar/dozaar/streams/erase"
	"github.com/dozaar/dozaar/streams/notify"
	"github.com/dozaar/dozaar/streams/presence"
)

// store is what all roles together need of one.
type store interface {
	gateway.Store
	deliver.Store
	presence.Peers
	notify.Store
	api.Conversations
	api.History
	api.Inbox
	api.Settings
	api.Erasures
	erase.Store
	topicIdentities
	Close() error
}

// topicIdentities is what a store remembers of topics.
type topicIdentities interface {
	TopicIdentity(ctx context.Context, topic string) (chat.TopicIdentity, bool, error)
	PutTopicIdentity(ctx context.Context, identity chat.TopicIdentity) error
}

// openStore opens Cassandra where it is given, else the embedded store in the data folder. Cassandra is waited for.
func (c Config) openStore(ctx context.Context, w *waiting, t telling) (s store, err error) {
	if len(c.Cassandra.CassandraHosts) == 0 {
		dir := filepath.Join(c.Data.DataDir, "store")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("DOZAAR_DATA_DIR: %w", err)
		}
		return sqlite.Open(ctx, filepath.Join(dir, "dozaar.db"), t.log, t.metrics)
	}
	cfg, err := c.cassandra(t)
	if err != nil {
		return nil, err
	}
	err = w.until(ctx, engineCassandra, func(ctx context.Context) error {
		s, err = cassandra.Open(ctx, cfg)
		return err
	})
	return s, err
}

// knownTopics is what the store remembers, by name.
func knownTopics(ctx context.Context, s topicIdentities) (map[string]chat.TopicIdentity, error) {
	topics, err := schemas.Topics()
	if err != nil {
		return nil, err
	}
	known := map[string]chat.TopicIdentity{}
	for _, topic := range topics {
		identity, found, err := s.TopicIdentity(ctx, topic.Name)
		if err != nil {
			return nil, err
		}
		if found {
			known[topic.Name] = identity
		}
	}
	return known, nil
}
