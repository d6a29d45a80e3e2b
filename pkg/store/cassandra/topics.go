package cassandra

import (
	"context"

	"github.com/dozaar/dozaar/pkg/chat"
)

// TopicIdentity is what was last put under the topic's name.
func (s *Store) TopicIdentity(ctx context.Context, topic string) (identity chat.TopicIdentity, found bool, err error) {
	identity.Topic = topic
	err = s.measure(ctx, "topic_identity", func() error {
		found, err = one(s.request(ctx, `SELECT id, partitions, epoch FROM topics WHERE topic = ?`, topic).Consistency(s.serial),
			&identity.ID, &identity.Partitions, &identity.Epoch)
		return err
	})
	if !found {
		identity = chat.TopicIdentity{}
	}
	return identity, found, err
}

// PutTopicIdentity remembers a topic, in place of what was known of that name. Transactions order the writers,
// whatever their clocks say.
func (s *Store) PutTopicIdentity(ctx context.Context, identity chat.TopicIdentity) error {
	return s.measure(ctx, "put_topic_identity", func() error {
		return s.insist(ctx, func() (done bool, err error) {
			done, err = s.decide(ctx, `INSERT INTO topics (topic, id, partitions, epoch) VALUES (?, ?, ?, ?) IF NOT EXISTS`,
				identity.Topic, identity.ID, identity.Partitions, identity.Epoch)
			if done || err != nil {
				return done, err
			}
			return s.decide(ctx, `UPDATE topics SET id = ?, partitions = ?, epoch = ? WHERE topic = ? IF EXISTS`,
				identity.ID, identity.Partitions, identity.Epoch, identity.Topic)
		})
	})
}
