package storetest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// CreateConversation implements Store.
func (s *Memory) CreateConversation(ctx context.Context, c chat.Conversation) (chat.Conversation, bool, error) {
	if err := ctx.Err(); err != nil {
		return chat.Conversation{}, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if first, taken := s.byKey[c.Key]; taken && c.Key != "" {
		return cloneConversation(s.conversations[first]), false, nil
	}
	if old, there := s.conversations[c.ID]; there {
		if old.Key != c.Key {
			return chat.Conversation{}, false, fmt.Errorf("conversation %s has another key: %w", c.ID, chat.ErrConflict)
		}
		return cloneConversation(old), false, nil
	}
	s.conversations[c.ID] = cloneConversation(c)
	if c.Key != "" {
		s.byKey[c.Key] = c.ID
	}
	return cloneConversation(c), true, nil
}

// Conversation implements Store.
func (s *Memory) Conversation(ctx context.Context, id chat.ID) (chat.Conversation, error) {
	return s.change(ctx, id, func(*chat.Conversation) bool { return false })
}

// PutMember implements Store.
func (s *Memory) PutMember(ctx context.Context, conversation chat.ID, m chat.Member) (chat.Conversation, error) {
	return s.change(ctx, conversation, func(c *chat.Conversation) bool {
		i := slices.IndexFunc(c.Members, func(old chat.Member) bool { return old.UserID == m.UserID })
		switch {
		case i < 0:
			c.Members = append(c.Members, m)
		case c.Members[i] == m:
			return false
		default:
			c.Members[i] = m
		}
		return true
	})
}

// RemoveMember implements Store.
func (s *Memory) RemoveMember(ctx context.Context, conversation, user chat.ID) (chat.Conversation, error) {
	return s.change(ctx, conversation, func(c *chat.Conversation) bool {
		before := len(c.Members)
		c.Members = slices.DeleteFunc(c.Members, func(m chat.Member) bool { return m.UserID == user })
		return len(c.Members) != before
	})
}

// change lets edit work on a copy, which replaces the conversation where edit says that it changed it.
func (s *Memory) change(ctx context.Context, id chat.ID, edit func(*chat.Conversation) bool) (chat.Conversation, error) {
	if err := ctx.Err(); err != nil {
		return chat.Conversation{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, there := s.conversations[id]
	if !there {
		return chat.Conversation{}, fmt.Errorf("conversation %s: %w", id, chat.ErrNotFound)
	}
	c := cloneConversation(old)
	if edit(&c) {
		c.Revision++
		s.conversations[id] = cloneConversation(c)
	}
	return cloneConversation(c), nil
}

// Inbox implements Store.
func (s *Memory) Inbox(ctx context.Context, user chat.ID, before chat.InboxCursor, limit int) ([]chat.InboxEntry, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	top := before.ActivityAt.IsZero() && before.ConversationID == chat.ID{}
	before.ActivityAt = milliseconds(before.ActivityAt)
	entries := slices.DeleteFunc(s.inbox(user), func(e chat.InboxEntry) bool {
		return !top && newestFirst(chat.InboxCursor{ActivityAt: e.ActivityAt, ConversationID: e.Conversation.ID}, before) <= 0
	})
	return entries[:min(len(entries), max(limit, 0))], ctx.Err()
}

// inbox is all of a user's inbox, in order. The caller holds the lock.
func (s *Memory) inbox(user chat.ID) []chat.InboxEntry {
	var entries []chat.InboxEntry
	for id, c := range s.conversations {
		if _, member := c.Member(user); !member {
			continue
		}
		e := chat.InboxEntry{
			Conversation: cloneConversation(c),
			ReadSeq:      s.marks[reader{id, user}],
			ActivityAt:   c.CreatedAt,
		}
		if head, there := s.heads[id]; there {
			e.LastSeq, e.ActivityAt = head.Seq, head.ActivityAt
			if last, there := s.messages[id][head.Seq]; there {
				m := cloneMessage(last.Message)
				e.LastMessage = &m
			}
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b chat.InboxEntry) int {
		return newestFirst(
			chat.InboxCursor{ActivityAt: a.ActivityAt, ConversationID: a.Conversation.ID},
			chat.InboxCursor{ActivityAt: b.ActivityAt, ConversationID: b.Conversation.ID})
	})
	return entries
}

// newestFirst is negative where a stands above b in an inbox.
func newestFirst(a, b chat.InboxCursor) int {
	return cmp.Or(b.ActivityAt.Compare(a.ActivityAt), bytes.Compare(b.ConversationID[:], a.ConversationID[:]))
}

// Peers implements Store.
func (s *Memory) Peers(ctx context.Context, user chat.ID, limit int) ([]chat.ID, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	newest := map[chat.ID]time.Time{}
	var peers []chat.ID
	entries := slices.SortedFunc(slices.Values(s.inbox(user)), func(a, b chat.InboxEntry) int {
		return bytes.Compare(b.Conversation.ID[:], a.Conversation.ID[:])
	})
	entries = entries[:min(len(entries), chat.PeersOf)]
	slices.SortFunc(entries, func(a, b chat.InboxEntry) int { return newestFirst(cursorOf(a), cursorOf(b)) })
	for _, e := range entries {
		for _, m := range e.Conversation.Members {
			if _, seen := newest[m.UserID]; seen || m.UserID == user {
				continue
			}
			newest[m.UserID] = e.ActivityAt
			peers = append(peers, m.UserID)
		}
	}
	slices.SortFunc(peers, func(a, b chat.ID) int {
		return cmp.Or(newest[b].Compare(newest[a]), bytes.Compare(a[:], b[:]))
	})
	return peers[:min(len(peers), max(limit, 0))], ctx.Err()
}

func cloneConversation(c chat.Conversation) chat.Conversation {
	c.CreatedAt = milliseconds(c.CreatedAt)
	c.Members = append([]chat.Member(nil), c.Members...)
	c.Metadata = append([]byte(nil), c.Metadata...)
	return c
}
