package cassandra

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/gocql/gocql"

	"github.com/dozaar/dozaar/pkg/chat"
)

// routingSpy stands before the policy that chooses hosts and writes down what it was given to choose by.
type routingSpy struct {
	gocql.HostSelectionPolicy
	keyspace string

	mu      sync.Mutex // guards what follows
	picks   int
	keys    map[string]bool
	strange []string
}

func (p *routingSpy) Pick(q gocql.ExecutableQuery) gocql.NextHost {
	if q == nil {
		return p.HostSelectionPolicy.Pick(q)
	}
	key, err := q.GetRoutingKey()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.picks++
	p.keys[string(key)] = true
	switch level, _ := q.(interface{ GetConsistency() gocql.Consistency }); {
	case err != nil || len(key) == 0:
		p.strange = append(p.strange, "no routing key")
	case q.Keyspace() != p.keyspace:
		p.strange = append(p.strange, "keyspace "+q.Keyspace())
	case !q.IsIdempotent():
		p.strange = append(p.strange, "not to be repeated")
	case level.GetConsistency() != gocql.LocalQuorum:
		p.strange = append(p.strange, "consistency "+level.GetConsistency().String())
	}
	return p.HostSelectionPolicy.Pick(q)
}

// TestHotPathGoesToReplicas: every read and write of a message's way is sent by the key of its partition, single
// statements and batches alike, so that it goes to a node that has the data; it may be repeated, and asks a quorum. What is
// written of several partitions in one request (shared) goes by the first one's key; of what is read of many (many) that holds
// for one key alone.
func TestHotPathGoesToReplicas(t *testing.T) {
	cfg := migrated(t).withDefaults()
	conversation, user, other := chat.NewID(), chat.NewID(), chat.NewID()
	c := chat.Conversation{ID: conversation, Revision: 1, Members: []chat.Member{{UserID: user, Username: "ann"}, {UserID: other, Username: "bob"}}}
	if _, _, err := open(t, cfg).CreateConversation(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	s, spy := openSpied(t, cfg)
	ctx := t.Context()
	one, two, three := message(conversation, 1, "x"), message(conversation, 2, "x"), message(conversation, 1001, "x")
	bucket := func(n int64) string {
		key := append([]byte{0, 16}, conversation[:]...)
		key = append(key, 0, 0, 8)
		return string(append(binary.BigEndian.AppendUint64(key, uint64(n)), 0))
	}
	id := func(id chat.ID) string { return string(id[:]) }
	for _, c := range []struct {
		name string
		call func() error
		want []string
	}{
		{"one message", func() error { return s.PutMessages(ctx, []chat.StoredMessage{one}) },
			[]string{bucket(0)}},
		{"a batch, and one of another bucket", func() error { return s.PutMessages(ctx, []chat.StoredMessage{one, two, three}) },
			[]string{bucket(0)}},
		{"a head", func() error { return s.PutHeads(ctx, []chat.Head{head(two)}) }, []string{id(conversation)}},
		{"inboxes", func() error { return s.PutInboxes(ctx, []chat.Head{head(two)}) }, []string{id(conversation), id(user)}},
		{"a mark", func() error {
			return s.PutReadMarks(ctx, []chat.ReadMark{{ConversationID: conversation, UserID: user, Seq: 1}})
		}, []string{id(user)}},
		{"a batch of marks", func() error {
			return s.PutReadMarks(ctx, []chat.ReadMark{{ConversationID: conversation, UserID: user, Seq: 1}, {ConversationID: other, UserID: user, Seq: 1}})
		}, []string{id(user)}},
		{"by id", func() error { _, err := s.StoredByID(ctx, []chat.ID{one.ID}); return err }, []string{id(one.ID)}},
		{"heads", func() error { _, err := s.Heads(ctx, []chat.ID{conversation}); return err }, []string{id(conversation)}},
		{"the last row", func() error { _, err := s.LastBefore(ctx, conversation, chat.Position{Offset: 9}); return err },
			[]string{id(conversation), bucket(0), bucket(1), bucket(2)}},
		{"members", func() error { _, err := s.Conversation(ctx, conversation); return err }, []string{id(conversation)}},
		{"a read mark", func() error { _, err := s.ReadSeqs(ctx, conversation, []chat.ID{user}); return err }, []string{id(user)}},
		{"history", func() error { _, err := s.Messages(ctx, conversation, 0, 10); return err }, []string{id(conversation), bucket(0)}},
	} {
		spy.keys, spy.strange, spy.picks = map[string]bool{}, nil, 0
		if err := c.call(); err != nil {
			t.Fatal(err)
		}
		slices.Sort(c.want)
		if got := slices.Sorted(maps.Keys(spy.keys)); !slices.Equal(got, c.want) {
			t.Errorf("%s: sent by the keys %x, want %x", c.name, got, c.want)
		}
		if len(spy.strange) > 0 || spy.picks == 0 {
			t.Errorf("%s: %d requests, of which %v", c.name, spy.picks, spy.strange)
		}
	}
}

// openSpied is Open with a spy before the policy.
func openSpied(t *testing.T, cfg Config) (*Store, *routingSpy) {
	t.Helper()
	cluster, err := cfg.cluster(cfg.Keyspace)
	s, err2 := newStore(cfg)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	spy := &routingSpy{HostSelectionPolicy: cluster.PoolConfig.HostSelectionPolicy, keyspace: cfg.Keyspace, keys: map[string]bool{}}
	cluster.PoolConfig.HostSelectionPolicy = spy
	if s.session, err = cluster.CreateSession(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.session.Close)
	return s, spy
}
