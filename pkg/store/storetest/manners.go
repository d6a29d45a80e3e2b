package storetest

import (
	"context"
	"errors"
	"testing"

	"github.com/dozaar/dozaar/pkg/chat"
)

// What holds for every method.

func checkCancelled(t *testing.T, s Store) {
	conversation, user := chat.NewID(), chat.NewID()
	m := text(conversation, 1, "too late")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"PutMessages": func() error { return s.PutMessages(ctx, []chat.StoredMessage{m}) },
		"PutHeads":    func() error { return s.PutHeads(ctx, []chat.Head{headOf(m)}) },
		"PutInboxes":  func() error { return s.PutInboxes(ctx, []chat.Head{headOf(m)}) },
		"PutReadMarks": func() error {
			return s.PutReadMarks(ctx, []chat.ReadMark{{ConversationID: conversation, UserID: user, Seq: 1}})
		},
		"PutTopicIdentity": func() error { return s.PutTopicIdentity(ctx, chat.TopicIdentity{Topic: conversation.String()}) },
		"CreateConversation": func() error {
			_, _, err := s.CreateConversation(ctx, chat.Conversation{ID: conversation, Revision: 1, CreatedAt: dawn()})
			return err
		},
		"Conversation":   func() error { _, err := s.Conversation(ctx, conversation); return err },
		"PutMember":      func() error { _, err := s.PutMember(ctx, conversation, chat.Member{UserID: user}); return err },
		"RemoveMember":   func() error { _, err := s.RemoveMember(ctx, conversation, user); return err },
		"Inbox":          func() error { _, err := s.Inbox(ctx, user, chat.InboxCursor{}, 10); return err },
		"Peers":          func() error { _, err := s.Peers(ctx, user, 10); return err },
		"Revisions":      func() error { _, err := s.Revisions(ctx, []chat.ID{conversation}); return err },
		"Heads":          func() error { _, err := s.Heads(ctx, []chat.ID{conversation}); return err },
		"LastBefore":     func() error { _, err := s.LastBefore(ctx, conversation, at(1)); return err },
		"StoredByID":     func() error { _, err := s.StoredByID(ctx, []chat.ID{m.ID}); return err },
		"Messages":       func() error { _, err := s.Messages(ctx, conversation, 0, 10); return err },
		"MessagesBefore": func() error { _, err := s.MessagesBefore(ctx, conversation, 0, 10); return err },
		"ReadSeqs":       func() error { _, err := s.ReadSeqs(ctx, conversation, []chat.ID{user}); return err },
		"TopicIdentity":  func() error { _, _, err := s.TopicIdentity(ctx, "x"); return err },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: %v", name, err)
		}
	}
	if _, err := s.Conversation(t.Context(), conversation); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("a cancelled CreateConversation left something: %v", err)
	}
	equal(t, "by id after a cancelled PutMessages", get[map[chat.ID]chat.StoredID](t)(s.StoredByID(t.Context(), []chat.ID{m.ID})), map[chat.ID]chat.StoredID{})
	equal(t, "heads after a cancelled PutHeads", get[map[chat.ID]chat.Head](t)(s.Heads(t.Context(), []chat.ID{conversation})), map[chat.ID]chat.Head{})
}

func checkSharesNoMemory(t *testing.T, s Store) {
	ctx, user := t.Context(), chat.NewID()
	c := chat.Conversation{
		ID: chat.NewID(), Revision: 1, CreatedAt: dawn(), Metadata: []byte(`{"listing":1}`),
		Members: []chat.Member{{UserID: user, Username: "ann"}},
	}
	_, _, err := s.CreateConversation(ctx, c)
	must(t, err)
	m := text(c.ID, 1, "see")
	m.AttachmentURLs = []string{"https://example.com/a.jpg"}
	must(t, s.PutMessages(ctx, []chat.StoredMessage{m}))
	move(t, s, m)

	spoil := func(c chat.Conversation, urls []string) {
		c.Members[0].Username, c.Metadata[2], urls[0] = "eve", 'X', "https://example.com/b.jpg"
	}
	check := func(after string) {
		t.Helper()
		read := get[chat.Conversation](t)(s.Conversation(ctx, c.ID))
		list := get[[]chat.Message](t)(s.Messages(ctx, c.ID, 0, 1))
		if read.Members[0].Username != "ann" || string(read.Metadata) != `{"listing":1}` || list[0].AttachmentURLs[0] != "https://example.com/a.jpg" {
			t.Fatalf("%s: the store has changed with it: %+v, %+v", after, read, list)
		}
		spoil(read, list[0].AttachmentURLs)
	}
	spoil(c, m.AttachmentURLs)
	check("what was passed in was changed")
	check("what came back was changed")
	entry := get[[]chat.InboxEntry](t)(s.Inbox(ctx, user, chat.InboxCursor{}, 1))[0]
	spoil(entry.Conversation, entry.LastMessage.AttachmentURLs)
	check("an inbox entry was changed")
}
