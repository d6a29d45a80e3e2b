package sqlite

import (
	"context"
	"database/sql"

	"github.com/dozaar/dozaar/pkg/chat"
)

// TopicIdentity is what was last put under the topic's name.
func (s *Store) TopicIdentity(ctx context.Context, topic string) (chat.TopicIdentity, bool, error) {
	identity, found := chat.TopicIdentity{}, false
	err := s.read(ctx, "topic_identity", func(tx *sql.Tx) error {
		return each(ctx, tx, func(rows *sql.Rows) error {
			found = true
			return rows.Scan(&identity.Topic, &identity.ID, &identity.Partitions, &identity.Epoch)
		}, `SELECT topic, id, partitions, epoch FROM topics WHERE topic = ?`, topic)
	})
	return identity, found, err
}

// PutTopicIdentity remembers a topic, in place of what was known of that name.
func (s *Store) PutTopicIdentity(ctx context.Context, identity chat.TopicIdentity) error {
	return s.write(ctx, "put_topic_identity", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO topics (topic, id, partitions, epoch) VALUES (?, ?, ?, ?)
			ON CONFLICT (topic) DO UPDATE
			SET id = excluded.id, partitions = excluded.partitions, epoch = excluded.epoch`,
			identity.Topic, identity.ID, identity.Partitions, identity.Epoch)
		return err
	})
}
