package cassandra

import (
	"context"
	"fmt"

	"github.com/gocql/gocql"

	"github.com/dozaar/dozaar/pkg/chat"
)

// CreateConversation stores c unless its key, or its id under the same key, is taken: then it answers the
// first one, and created is false. An id that is taken under another key is chat.ErrConflict.
//
// Two transactions decide, first the key's, then the id's, so there is something in between, which a caller may not
// survive. Therefore the key's row holds all that was asked for, and whoever finds it completes it; created is
// true for the one whose row it is, whoever did the rest. Only if the id was given away meanwhile, under
// another key and therefore for ever, is the key set free again. An attempt whose outcome got lost
// may be repeated: its name is in the row.
func (s *Store) CreateConversation(ctx context.Context, c chat.Conversation) (stored chat.Conversation, created bool, err error) {
	err = s.measure(ctx, "create_conversation", func() error {
		mine := row{Conversation: c, creation: chat.NewID(), wide: len(c.Members) > s.wideAbove}
		return s.insist(ctx, func() (done bool, err error) {
			if c.Key == "" {
				stored, created, err = s.createPlain(ctx, mine)
				return err == nil, err
			}
			var standing row
			standing, done, err = s.createKeyed(ctx, mine)
			stored, created = standing.Conversation, standing.creation == mine.creation
			return done, err
		})
	})
	if err != nil {
		return chat.Conversation{}, false, err
	}
	return stored, created, nil
}

func (s *Store) createPlain(ctx context.Context, mine row) (chat.Conversation, bool, error) {
	standing, err := s.settle(ctx, mine)
	if err == nil && standing.Key != "" {
		err = otherKey(mine.ID)
	}
	return standing.Conversation, standing.creation == mine.creation, err
}

func otherKey(id chat.ID) error {
	return fmt.Errorf("conversation %s has another key: %w", id, chat.ErrConflict)
}

// createKeyed answers the conversation that has mine's key. It is not done where the key led nowhere and was freed.
func (s *Store) createKeyed(ctx context.Context, mine row) (standing row, done bool, err error) {
	claim, found, err := s.claim(ctx, mine.Key, s.quorum)
	if err != nil {
		return row{}, false, err
	}
	if !found {
		there, taken, err := s.conversation(ctx, mine.ID, s.quorum)
		switch {
		case err != nil:
			return row{}, false, err
		case taken && there.Key != mine.Key:
			return row{}, true, otherKey(mine.ID)
		}
		if claim, err = s.claimKey(ctx, mine); err != nil {
			return row{}, false, err
		}
	}
	standing, err = s.settle(ctx, claim)
	switch {
	case err != nil:
		return row{}, false, err
	case standing.Key == mine.Key:
		return standing, true, nil
	}
	if _, err := s.decide(ctx, `DELETE FROM conversation_keys WHERE key = ? IF creation = ?`, mine.Key, uuid(claim.creation)); err != nil {
		return row{}, false, err
	}
	if claim.ID == mine.ID {
		return row{}, true, otherKey(mine.ID)
	}
	return row{}, false, nil
}

// claimKey takes a key for a conversation, or answers whose it is.
func (s *Store) claimKey(ctx context.Context, mine row) (row, error) {
	applied, err := s.decide(ctx, `
		INSERT INTO conversation_keys (key, conversation_id, creation, created_at, metadata, revision, members)
		VALUES (?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS`,
		mine.Key, uuid(mine.ID), uuid(mine.creation), mine.CreatedAt.UnixMilli(), string(mine.Metadata), mine.Revision, toMembers(mine.Members))
	if applied || err != nil {
		return mine, err
	}
	claim, found, err := s.claim(ctx, mine.Key, s.serial)
	if err == nil && !found {
		err = errContended // freed just now
	}
	return claim, err
}

func (s *Store) claim(ctx context.Context, key string, level gocql.Consistency) (r row, found bool, err error) {
	var (
		id, creation gocql.UUID
		createdAt    int64
		metadata     string
		members      []member
	)
	found, err = one(s.request(ctx, `SELECT conversation_id, creation, created_at, metadata, revision, members FROM conversation_keys WHERE key = ?`,
		key).Consistency(level), &id, &creation, &createdAt, &metadata, &r.Revision, &members)
	r.ID, r.Key, r.creation, r.CreatedAt = chat.ID(id), key, chat.ID(creation), fromMillis(createdAt)
	r.Members, r.Metadata, r.wide = fromMembers(members), toMetadata(metadata), len(members) > s.wideAbove
	return r, found, err
}

// settle stores a conversation where there is none of its id, and answers the one that is there then.
func (s *Store) settle(ctx context.Context, r row) (standing row, err error) {
	standing, found, err := s.conversation(ctx, r.ID, s.quorum)
	if found || err != nil {
		return standing, err
	}
	if err := s.enlist(ctx, r, r.Members...); err != nil {
		return row{}, err
	}
	applied, err := s.decide(ctx, `
		INSERT INTO conversations (id, creation, key, created_at, metadata, revision, members, wide, inboxes)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS`,
		uuid(r.ID), uuid(r.creation), r.Key, r.CreatedAt.UnixMilli(), string(r.Metadata), r.Revision, toMembers(r.Members), r.wide, r.inboxes())
	if err != nil {
		return row{}, err
	}
	if standing, found, err = s.conversation(ctx, r.ID, s.serial); err != nil {
		return row{}, err
	}
	if !found { // nothing here is ever deleted
		return row{}, fmt.Errorf("conversation %s is gone", r.ID)
	}
	if applied {
		err = s.catchUp(ctx, r)
	}
	return standing, err
}
