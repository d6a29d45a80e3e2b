package storetest

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// Memory is a Store in maps, written to be checked by reading. It is safe for concurrent use.
type Memory struct {
	mu            sync.RWMutex // guards everything below
	conversations map[chat.ID]chat.Conversation
	byKey         map[string]chat.ID
	messages      map[chat.ID]map[int64]chat.StoredMessage // by conversation, seq
	byID          map[chat.ID]chat.StoredID
	heads         map[chat.ID]chat.Head
	marks         map[reader]int64
	topics        map[string]chat.TopicIdentity
	invisible     map[chat.ID]bool
	muted         map[reader]bool
	calls         map[reader]chat.Call
	erasures      map[chat.ID]chat.Erasure

	AuthorsUnknown bool // what AuthorsKnown denies
}

type reader struct{ conversation, user chat.ID }

var _ Store = (*Memory)(nil)

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{
		conversations: map[chat.ID]chat.Conversation{},
		byKey:         map[string]chat.ID{},
		messages:      map[chat.ID]map[int64]chat.StoredMessage{},
		byID:          map[chat.ID]chat.StoredID{},
		heads:         map[chat.ID]chat.Head{},
		marks:         map[reader]int64{},
		topics:        map[string]chat.TopicIdentity{},
		invisible:     map[chat.ID]bool{},
		muted:         map[reader]bool{},
		calls:         map[reader]chat.Call{},
		erasures:      map[chat.ID]chat.Erasure{},
	}
}

// PutMessages implements Store.
func (s *Memory) PutMessages(ctx context.Context, messages []chat.StoredMessage) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range messages {
		m.Message = cloneMessage(m.Message)
		rows := s.messages[m.ConversationID]
		if rows == nil {
			rows = map[int64]chat.StoredMessage{}
			s.messages[m.ConversationID] = rows
		}
		if old, there := rows[m.Seq]; !there || old.Position.Before(m.Position) {
			rows[m.Seq] = m
		}
		if old, there := s.byID[m.ID]; !there || m.Position.Before(old.Position) {
			s.byID[m.ID] = chat.StoredID{
				ConversationID: m.ConversationID, Seq: m.Seq, Position: m.Position,
				BodyHash: m.BodyHash(), SenderID: m.Sender.ID, CreatedAt: m.CreatedAt,
			}
		}
	}
	return nil
}

// PutHeads implements Store.
func (s *Memory) PutHeads(ctx context.Context, heads []chat.Head) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range heads {
		h.ActivityAt = milliseconds(h.ActivityAt)
		if old, there := s.heads[h.ConversationID]; !there || old.Seq < h.Seq {
			s.heads[h.ConversationID] = h
		}
	}
	return nil
}

// PutInboxes implements Store: inboxes are made from the heads.
func (s *Memory) PutInboxes(ctx context.Context, _ []chat.Head) error { return ctx.Err() }

// Heads implements Store.
func (s *Memory) Heads(ctx context.Context, conversations []chat.ID) (map[chat.ID]chat.Head, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return pick(ctx, s.heads, conversations)
}

// Revisions implements Store.
func (s *Memory) Revisions(ctx context.Context, conversations []chat.ID) (map[chat.ID]int64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	found, err := pick(ctx, s.conversations, conversations)
	revisions := make(map[chat.ID]int64, len(found))
	for id, c := range found {
		revisions[id] = c.Revision
	}
	return revisions, err
}

// StoredByID implements Store.
func (s *Memory) StoredByID(ctx context.Context, ids []chat.ID) (map[chat.ID]chat.StoredID, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return pick(ctx, s.byID, ids)
}

func pick[V any](ctx context.Context, from map[chat.ID]V, ids []chat.ID) (map[chat.ID]V, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found := make(map[chat.ID]V, len(ids))
	for _, id := range ids {
		if v, there := from[id]; there {
			found[id] = v
		}
	}
	return found, nil
}

// LastBefore implements Store.
func (s *Memory) LastBefore(ctx context.Context, conversation chat.ID, p chat.Position) (int64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var last int64
	for seq, m := range s.messages[conversation] {
		if m.Position.Before(p) {
			last = max(last, seq)
		}
	}
	return last, ctx.Err()
}

// Messages implements Store.
func (s *Memory) Messages(ctx context.Context, conversation chat.ID, afterSeq int64, limit int) ([]chat.Message, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	readable := s.readable(conversation, func(seq int64) bool { return seq > afterSeq })
	return readable[:min(len(readable), max(limit, 0))], nil
}

// MessagesBefore implements Store.
func (s *Memory) MessagesBefore(ctx context.Context, conversation chat.ID, beforeSeq int64, limit int) ([]chat.Message, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	readable := s.readable(conversation, func(seq int64) bool { return beforeSeq == 0 || seq < beforeSeq })
	return readable[len(readable)-min(len(readable), max(limit, 0)):], nil
}

// readable is every message up to the head whose seq is wanted, in ascending order.
func (s *Memory) readable(conversation chat.ID, wanted func(seq int64) bool) []chat.Message {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var list []chat.Message
	for seq, m := range s.messages[conversation] {
		if seq <= s.heads[conversation].Seq && wanted(seq) {
			list = append(list, cloneMessage(m.Message))
		}
	}
	slices.SortFunc(list, func(a, b chat.Message) int { return cmp.Compare(a.Seq, b.Seq) })
	return list
}

// PutReadMarks implements Store.
func (s *Memory) PutReadMarks(ctx context.Context, marks []chat.ReadMark) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range marks {
		who := reader{m.ConversationID, m.UserID}
		s.marks[who] = max(s.marks[who], m.Seq)
	}
	return nil
}

// ReadSeqs implements Store.
func (s *Memory) ReadSeqs(ctx context.Context, conversation chat.ID, users []chat.ID) (map[chat.ID]int64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := map[chat.ID]int64{}
	for _, user := range users {
		found[user] = s.marks[reader{conversation, user}]
	}
	return found, ctx.Err()
}

// TopicIdentity implements Store.
func (s *Memory) TopicIdentity(ctx context.Context, topic string) (chat.TopicIdentity, bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	identity, found := s.topics[topic]
	return identity, found, ctx.Err()
}

// PutTopicIdentity implements Store.
func (s *Memory) PutTopicIdentity(ctx context.Context, identity chat.TopicIdentity) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.topics[identity.Topic] = identity
	return nil
}

func milliseconds(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()).UTC() }

func cloneMessage(m chat.Message) chat.Message {
	m.CreatedAt = milliseconds(m.CreatedAt)
	m.AttachmentURLs = append([]string(nil), m.AttachmentURLs...)
	return m
}
