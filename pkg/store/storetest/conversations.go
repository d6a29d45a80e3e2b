package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/dozaar/dozaar/pkg/chat"
)

func checkCreate(t *testing.T, s Store) {
	var members []chat.Member
	for i := range 50 { // ids that do not sort as they come
		id := chat.NewID()
		id[0] = byte(i * 37)
		members = append(members, chat.Member{UserID: id, Username: fmt.Sprintf("user %d", i), Role: "seller"})
	}
	members[3].Username, members[3].Role = "a\x00b \u202e😀", ""
	for _, c := range []chat.Conversation{
		{},
		{Members: members[:1]},
		{Members: members, Key: "listing 7 + buyer " + chat.NewID().String(), Metadata: json.RawMessage(` {"b": 1,  "a": "\u0000é", "b": 2}`)},
		{Members: members[:2], Key: strings.Repeat("😀", chat.MaxKeyChars-36) + chat.NewID().String(), Metadata: json.RawMessage(`{}`)},
		{Members: members[:2], Key: "nul\x00" + chat.NewID().String()},
	} {
		c.ID, c.Revision, c.CreatedAt = chat.NewID(), 1, dawn()
		if _, err := s.Conversation(t.Context(), c.ID); !errors.Is(err, chat.ErrNotFound) {
			t.Fatalf("a conversation nobody made: %v", err)
		}
		stored, created, err := s.CreateConversation(t.Context(), c)
		must(t, err)
		if !created {
			t.Fatal("not created")
		}
		want := cloneConversation(c)
		equal(t, "as created", stored, want)
		equal(t, "as read", get[chat.Conversation](t)(s.Conversation(t.Context(), c.ID)), want)
	}
}

func checkCreateAgain(t *testing.T, s Store) {
	keyed := chat.Conversation{ID: chat.NewID(), Key: "k" + chat.NewID().String(), Revision: 1, CreatedAt: dawn(),
		Members: []chat.Member{{UserID: chat.NewID(), Username: "ann"}}, Metadata: json.RawMessage(`{"first":true}`)}
	plain := chat.Conversation{ID: chat.NewID(), Revision: 1, CreatedAt: dawn(), Members: keyed.Members}
	for _, c := range []chat.Conversation{keyed, plain} {
		_, created, err := s.CreateConversation(t.Context(), c)
		must(t, err)
		if !created {
			t.Fatal("the first one was not created")
		}
	}
	for name, c := range map[string]struct {
		ask   chat.Conversation
		first *chat.Conversation // nil: a conflict
	}{
		"same key, same id":               {chat.Conversation{ID: keyed.ID, Key: keyed.Key}, &keyed},
		"same key, new id":                {chat.Conversation{ID: chat.NewID(), Key: keyed.Key}, &keyed},
		"same key, another's id":          {chat.Conversation{ID: plain.ID, Key: keyed.Key}, &keyed},
		"no key, id of one without":       {chat.Conversation{ID: plain.ID}, &plain},
		"no key, id of one with a key":    {chat.Conversation{ID: keyed.ID}, nil},
		"new key, id of one without":      {chat.Conversation{ID: plain.ID, Key: "k" + chat.NewID().String()}, nil},
		"another key, id of one with one": {chat.Conversation{ID: keyed.ID, Key: "k" + chat.NewID().String()}, nil},
	} {
		c.ask.Revision, c.ask.CreatedAt = 1, dawn().AddDate(1, 0, 0)
		c.ask.Members = []chat.Member{{UserID: chat.NewID(), Username: "bob"}}
		stored, created, err := s.CreateConversation(t.Context(), c.ask)
		switch {
		case c.first == nil:
			if !errors.Is(err, chat.ErrConflict) || created {
				t.Errorf("%s: want a conflict, got %+v, %v, %v", name, stored, created, err)
			}
		case err != nil || created:
			t.Errorf("%s: want the first one, got created %v, %v", name, created, err)
		default:
			equal(t, name, stored, cloneConversation(*c.first))
		}
	}
	for _, key := range []string{strings.ToUpper(keyed.Key), keyed.Key + " ", keyed.Key + "\x00"} {
		unlike := chat.Conversation{ID: chat.NewID(), Key: key, Revision: 1, CreatedAt: dawn()}
		if _, created, err := s.CreateConversation(t.Context(), unlike); err != nil || !created {
			t.Errorf("key %q is not %q: created %v, %v", key, keyed.Key, created, err)
		}
	}
	for _, c := range []chat.Conversation{keyed, plain} {
		equal(t, "untouched by later calls", get[chat.Conversation](t)(s.Conversation(t.Context(), c.ID)), cloneConversation(c))
	}
}

func checkCreateAtOnce(t *testing.T, s Store) {
	const callers = 16
	key := "k" + chat.NewID().String()
	var (
		all     sync.WaitGroup
		stored  [callers]chat.Conversation
		created [callers]bool
		errs    [callers]error
	)
	for i := range callers {
		all.Go(func() {
			stored[i], created[i], errs[i] = s.CreateConversation(t.Context(), chat.Conversation{
				ID: chat.NewID(), Key: key, Revision: 1, CreatedAt: dawn(),
				Members: []chat.Member{{UserID: chat.NewID(), Username: fmt.Sprint(i)}},
			})
		})
	}
	all.Wait()
	firsts := 0
	for i := range callers {
		must(t, errs[i])
		equal(t, "every caller is told of one conversation", stored[i], stored[0])
		if created[i] {
			firsts++
		}
	}
	if firsts != 1 {
		t.Fatalf("%d callers created it", firsts)
	}
	equal(t, "as read", get[chat.Conversation](t)(s.Conversation(t.Context(), stored[0].ID)), stored[0])
}

func checkMembers(t *testing.T, s Store) {
	ctx, a, b, d := t.Context(), chat.NewID(), chat.NewID(), chat.NewID()
	other := newConversation(t, s, dawn(), a, b)
	c := newConversation(t, s, dawn(), a, b)
	member := func(id chat.ID, name, role string) chat.Member {
		return chat.Member{UserID: id, Username: name, Role: role}
	}
	put := func(m chat.Member) func() (chat.Conversation, error) {
		return func() (chat.Conversation, error) { return s.PutMember(ctx, c.ID, m) }
	}
	remove := func(id chat.ID) func() (chat.Conversation, error) {
		return func() (chat.Conversation, error) { return s.RemoveMember(ctx, c.ID, id) }
	}
	for _, step := range []struct {
		name     string
		do       func() (chat.Conversation, error)
		revision int64
		members  []chat.Member
	}{
		{"as they are", put(member(a, "user", "buyer")), 1, []chat.Member{member(a, "user", "buyer"), member(b, "user", "buyer")}},
		{"a new one", put(member(d, "dan", "")), 2, []chat.Member{member(a, "user", "buyer"), member(b, "user", "buyer"), member(d, "dan", "")}},
		{"again", put(member(d, "dan", "")), 2, []chat.Member{member(a, "user", "buyer"), member(b, "user", "buyer"), member(d, "dan", "")}},
		{"another role, in place", put(member(a, "user", "seller")), 3, []chat.Member{member(a, "user", "seller"), member(b, "user", "buyer"), member(d, "dan", "")}},
		{"another name, in place", put(member(a, "ann", "seller")), 4, []chat.Member{member(a, "ann", "seller"), member(b, "user", "buyer"), member(d, "dan", "")}},
		{"out", remove(a), 5, []chat.Member{member(b, "user", "buyer"), member(d, "dan", "")}},
		{"out again", remove(a), 5, []chat.Member{member(b, "user", "buyer"), member(d, "dan", "")}},
		{"a stranger out", remove(chat.NewID()), 5, []chat.Member{member(b, "user", "buyer"), member(d, "dan", "")}},
		{"back, at the end", put(member(a, "ann", "")), 6, []chat.Member{member(b, "user", "buyer"), member(d, "dan", ""), member(a, "ann", "")}},
		{"all out", remove(b), 7, []chat.Member{member(d, "dan", ""), member(a, "ann", "")}},
		{"all out", remove(d), 8, []chat.Member{member(a, "ann", "")}},
		{"all out", remove(a), 9, nil},
		{"one in", put(member(b, "bob", "")), 10, []chat.Member{member(b, "bob", "")}},
	} {
		c.Revision, c.Members = step.revision, step.members
		equal(t, step.name, get[chat.Conversation](t)(step.do()), c)
		equal(t, step.name+", as read", get[chat.Conversation](t)(s.Conversation(ctx, c.ID)), c)
		equal(t, step.name+", as counted", get[map[chat.ID]int64](t)(s.Revisions(ctx, []chat.ID{c.ID, chat.NewID(), other.ID})),
			map[chat.ID]int64{c.ID: step.revision, other.ID: other.Revision})
	}
	equal(t, "the other conversation", get[chat.Conversation](t)(s.Conversation(ctx, other.ID)), other)

	if _, err := s.PutMember(ctx, chat.NewID(), member(a, "ann", "")); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("PutMember to nowhere: %v", err)
	}
	if _, err := s.RemoveMember(ctx, chat.NewID(), a); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("RemoveMember from nowhere: %v", err)
	}
}

// checkMembersAtOnce: every real change has a revision of its own, none is lost, and whoever reads meanwhile
// sees the members of the revision.
func checkMembersAtOnce(t *testing.T, s Store) {
	const callers, each = 8, 4
	user := chat.NewID()
	c := newConversation(t, s, dawn(), user)
	var (
		writers, readers sync.WaitGroup
		mu               sync.Mutex // guards seen
		seen             = map[int64]bool{}
	)
	agrees := func(c chat.Conversation) {
		if int64(len(c.Members)) != c.Revision {
			t.Errorf("%d members at revision %d", len(c.Members), c.Revision)
		}
	}
	writing, stop := context.WithCancel(t.Context())
	for range callers {
		writers.Go(func() {
			for range each {
				after, err := s.PutMember(t.Context(), c.ID, chat.Member{UserID: chat.NewID(), Username: "guest"})
				if err != nil {
					t.Error(err)
				}
				agrees(after)
				mu.Lock()
				seen[after.Revision] = true
				mu.Unlock()
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			for writing.Err() == nil {
				read, err := s.Conversation(t.Context(), c.ID)
				if err != nil {
					t.Error(err)
				}
				agrees(read)
				inbox, err := s.Inbox(t.Context(), user, chat.InboxCursor{}, 1)
				if err != nil || len(inbox) != 1 {
					t.Error(inbox, err)
					return
				}
				agrees(inbox[0].Conversation)
			}
		})
	}
	writers.Wait()
	stop()
	readers.Wait()
	after := get[chat.Conversation](t)(s.Conversation(t.Context(), c.ID))
	if len(seen) != callers*each || len(after.Members) != callers*each+1 {
		t.Fatalf("%d members and %d revisions after %d changes", len(after.Members), len(seen), callers*each)
	}
}
