package storetest

import (
	"context"

	"github.com/dozaar/dozaar/pkg/chat"
)

// Settings implements Store.
func (s *Memory) Settings(ctx context.Context, users []chat.ID) (map[chat.ID]chat.Settings, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := make(map[chat.ID]chat.Settings, len(users))
	for _, u := range users {
		found[u] = chat.Settings{Invisible: s.invisible[u]}
	}
	for m := range s.muted {
		if settings, wanted := found[m.user]; wanted {
			settings.Muted = append(settings.Muted, m.conversation)
			found[m.user] = settings
		}
	}
	return found, nil
}

// PutInvisible implements Store.
func (s *Memory) PutInvisible(ctx context.Context, user chat.ID, invisible bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.invisible[user] = invisible
	return nil
}

// PutMuted implements Store.
func (s *Memory) PutMuted(ctx context.Context, user, conversation chat.ID, muted bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if muted {
		s.muted[reader{conversation, user}] = true
	} else {
		delete(s.muted, reader{conversation, user})
	}
	return nil
}

// Called implements Store.
func (s *Memory) Called(ctx context.Context, conversation chat.ID, users []chat.ID) (map[chat.ID]chat.Call, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := map[chat.ID]chat.Call{}
	for _, u := range users {
		if call, there := s.calls[reader{conversation, u}]; there {
			found[u] = call
		}
	}
	return found, nil
}

// PutCalled implements Store.
func (s *Memory) PutCalled(ctx context.Context, calls []chat.Call) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range calls {
		c.At = milliseconds(c.At)
		who := reader{c.ConversationID, c.UserID}
		if old, there := s.calls[who]; !there || old.Seq < c.Seq {
			s.calls[who] = c
		}
	}
	return nil
}
