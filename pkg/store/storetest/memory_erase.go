package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// Erase implements Store.
func (s *Memory) Erase(ctx context.Context, user chat.ID, before time.Time, each func(chat.ErasedPart) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, part := range s.erase(user, before) {
		if err := each(part); err != nil {
			return err
		}
	}
	return nil
}

func (s *Memory) erase(user chat.ID, before time.Time) (parts []chat.ErasedPart) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conversation, rows := range s.messages {
		part := chat.ErasedPart{ConversationID: conversation}
		for seq, m := range rows {
			if m.Sender.ID != user || !m.CreatedAt.Before(before) {
				continue
			}
			if len(part.Seqs) == 0 || m.CreatedAt.Before(part.From) {
				part.From = m.CreatedAt
			}
			if m.CreatedAt.After(part.To) {
				part.To = m.CreatedAt
			}
			part.Seqs = append(part.Seqs, seq)
			m.Text, m.AttachmentURLs, m.Sender.Username = "", nil, ""
			rows[seq] = m
			id := s.byID[m.ID]
			id.BodyHash = [32]byte{}
			s.byID[m.ID] = id
		}
		slices.Sort(part.Seqs)
		for len(part.Seqs) > 0 {
			n := min(len(part.Seqs), 1000)
			parts = append(parts, chat.ErasedPart{ConversationID: conversation, Seqs: part.Seqs[:n], From: part.From, To: part.To})
			part.Seqs = part.Seqs[n:]
		}
	}
	return parts
}

// AuthorsKnown implements Store.
func (s *Memory) AuthorsKnown(ctx context.Context) (bool, error) { return !s.AuthorsUnknown, ctx.Err() }

// PutErasure implements Store.
func (s *Memory) PutErasure(ctx context.Context, e chat.Erasure) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e.RequestedAt = milliseconds(e.RequestedAt)
	if !e.FinishedAt.IsZero() {
		e.FinishedAt = milliseconds(e.FinishedAt)
	}
	old, there := s.erasures[e.UserID]
	if !there || further(e, old) {
		s.erasures[e.UserID] = e
	}
	return nil
}

func further(e, old chat.Erasure) bool {
	if !e.RequestedAt.Equal(old.RequestedAt) {
		return e.RequestedAt.After(old.RequestedAt)
	}
	if e.FinishedAt.IsZero() != old.FinishedAt.IsZero() {
		return old.FinishedAt.IsZero()
	}
	return e.Messages > old.Messages
}

// Erasure implements Store.
func (s *Memory) Erasure(ctx context.Context, user chat.ID) (chat.Erasure, bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, found := s.erasures[user]
	return e, found, ctx.Err()
}
