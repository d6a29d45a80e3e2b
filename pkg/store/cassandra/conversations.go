package cassandra

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/gocql/gocql"

	"github.com/dozaar/dozaar/pkg/chat"
)

// member is a chat.Member as the type of the keyspace.
type member struct {
	UserID   gocql.UUID `cql:"user_id"`
	Username string     `cql:"username"`
	Role     string     `cql:"role"`
}

func toMembers(list []chat.Member) []member {
	members := make([]member, len(list)) // never nil, which would be null
	for i, m := range list {
		members[i] = member{uuid(m.UserID), m.Username, m.Role}
	}
	return members
}

func fromMembers(list []member) []chat.Member {
	var members []chat.Member
	for _, m := range list {
		members = append(members, chat.Member{UserID: chat.ID(m.UserID), Username: m.Username, Role: m.Role})
	}
	return members
}

// row is a conversation as it is stored.
type row struct {
	chat.Conversation
	creation chat.ID // names the call that created it
	wide     bool
}

// inboxes are the members whose inbox rows copy the head.
func (r row) inboxes() []gocql.UUID {
	users := []gocql.UUID{}
	if !r.wide {
		for _, m := range r.Members {
			users = append(users, uuid(m.UserID))
		}
	}
	return users
}

// Conversation reads one with its members, in the order in which they came. chat.ErrNotFound.
func (s *Store) Conversation(ctx context.Context, id chat.ID) (c chat.Conversation, err error) {
	err = s.measure(ctx, "conversation", func() error {
		r, found, err := s.conversation(ctx, id, s.quorum)
		if err == nil && !found {
			err = notFound(id)
		}
		c = r.Conversation
		return err
	})
	return c, err
}

func notFound(id chat.ID) error { return fmt.Errorf("conversation %s: %w", id, chat.ErrNotFound) }

// conversation reads a row: at s.quorum what was decided, at s.serial also what is just being decided.
func (s *Store) conversation(ctx context.Context, id chat.ID, level gocql.Consistency) (r row, found bool, err error) {
	var (
		creation  gocql.UUID
		createdAt int64
		metadata  string
		members   []member
	)
	found, err = one(s.request(ctx, `SELECT creation, key, created_at, metadata, revision, members, wide FROM conversations WHERE id = ?`,
		uuid(id)).Consistency(level), &creation, &r.Key, &createdAt, &metadata, &r.Revision, &members, &r.wide)
	if !found || err != nil {
		return row{}, false, err
	}
	r.ID, r.creation, r.CreatedAt = id, chat.ID(creation), fromMillis(createdAt)
	r.Members, r.Metadata = fromMembers(members), toMetadata(metadata)
	return r, true, nil
}

func toMetadata(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}

// decide runs a lightweight transaction. That it was not applied is no error.
func (s *Store) decide(ctx context.Context, statement string, args ...any) (applied bool, err error) {
	return s.session.Query(statement, args...).WithContext(ctx).MapScanCAS(map[string]any{})
}
