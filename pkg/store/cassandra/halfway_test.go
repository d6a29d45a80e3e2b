package cassandra

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

func conversation(key string, users ...chat.ID) row {
	c := chat.Conversation{ID: chat.NewID(), Key: key, Revision: 1, CreatedAt: time.UnixMilli(1_750_000_000_000).UTC()}
	for _, user := range users {
		c.Members = append(c.Members, chat.Member{UserID: user, Username: "ann"})
	}
	return row{Conversation: c, creation: chat.NewID()}
}

func inboxOf(t *testing.T, s *Store, user chat.ID) (ids []chat.ID, entries []chat.InboxEntry) {
	t.Helper()
	entries, err := s.Inbox(t.Context(), user, chat.InboxCursor{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		ids = append(ids, e.Conversation.ID)
	}
	return ids, entries
}

// What a caller leaves who dies in the middle of a creation, the next one completes, or clears away.
func TestHalfCreated(t *testing.T) {
	s, ctx := open(t, migrated(t)), t.Context()
	user := chat.NewID()

	first := conversation("key of one who died", user)
	if _, err := s.claimKey(ctx, first); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Conversation(ctx, first.ID); !errors.Is(err, chat.ErrNotFound) {
		t.Fatalf("a claim alone is a conversation: %v", err)
	}
	next := conversation(first.Key, chat.NewID())
	for _, ask := range []chat.Conversation{next.Conversation, first.Conversation} {
		stored, created, err := s.CreateConversation(ctx, ask)
		if err != nil || created || stored.ID != first.ID || len(stored.Members) != 1 || stored.Members[0].UserID != user {
			t.Errorf("whoever comes next is told %+v, %v, %v", stored, created, err)
		}
	}
	if ids, _ := inboxOf(t, s, user); len(ids) != 1 || ids[0] != first.ID {
		t.Errorf("the inbox has %v", ids)
	}

	// The answer to a claim was lost: the same call asks again, and it is still the one that created it.
	lost := conversation("key of an answer that was lost", user)
	if _, err := s.claimKey(ctx, lost); err != nil {
		t.Fatal(err)
	}
	if standing, done, err := s.createKeyed(ctx, lost); err != nil || !done || standing.creation != lost.creation {
		t.Errorf("asked again: %+v, %v, %v", standing, done, err)
	}

	// Two keys for one id, at once: the one that lost the id leaves its key to others.
	loser := conversation("key that lost its id")
	loser.ID = first.ID
	if _, err := s.claimKey(ctx, loser); err != nil {
		t.Fatal(err)
	}
	heir := conversation(loser.Key, user)
	if stored, created, err := s.CreateConversation(ctx, heir.Conversation); err != nil || !created || stored.ID != heir.ID {
		t.Errorf("the heir of a key is told %+v, %v, %v", stored, created, err)
	}
	if _, _, err := s.CreateConversation(ctx, loser.Conversation); err != nil {
		t.Errorf("the loser is told %v instead of the key's conversation", err)
	}
}

// Inbox rows of members who never were, or are no longer, show nothing and take nobody's place.
func TestPromisesThatWereNotKept(t *testing.T) {
	s, ctx := open(t, migrated(t)), t.Context()
	user, other := chat.NewID(), chat.NewID()
	var real []chat.ID
	for i := range 4 {
		c := conversation("", user, other)
		c.CreatedAt = c.CreatedAt.Add(-time.Duration(i) * time.Hour)
		if _, _, err := s.CreateConversation(ctx, c.Conversation); err != nil {
			t.Fatal(err)
		}
		real = append(real, c.ID)
	}
	never, foreign := conversation("", user), conversation("", other)
	if _, _, err := s.CreateConversation(ctx, foreign.Conversation); err != nil {
		t.Fatal(err)
	}
	for _, r := range []row{never, foreign} {
		r.CreatedAt = r.CreatedAt.Add(time.Hour) // at the top
		if err := s.enlist(ctx, r, chat.Member{UserID: user}); err != nil {
			t.Fatal(err)
		}
	}
	page, err := s.Inbox(ctx, user, chat.InboxCursor{}, 3)
	if err != nil || len(page) != 3 {
		t.Fatalf("a page of 3 has %d, %v", len(page), err)
	}
	for i, e := range page {
		if e.Conversation.ID != real[i] {
			t.Errorf("entry %d is %v", i, e.Conversation.ID)
		}
	}
	if peers, err := s.Peers(ctx, user, 10); err != nil || len(peers) != 1 || peers[0] != other {
		t.Errorf("peers: %v, %v", peers, err)
	}
}

// Whoever joins while a message is stored has it in the inbox, whichever was first; also where the joining turns a
// conversation wide.
func TestJoiningBesideMessages(t *testing.T) {
	cfg := migrated(t)
	cfg.WideAbove = 20
	s, ctx := open(t, cfg), t.Context()
	founder := chat.NewID()
	c := conversation("", founder)
	if _, _, err := s.CreateConversation(ctx, c.Conversation); err != nil {
		t.Fatal(err)
	}
	users := []chat.ID{founder}
	for seq := int64(1); seq <= 40; seq++ {
		user, m := chat.NewID(), message(c.ID, seq, "x")
		users = append(users, user)
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := s.PutMember(ctx, c.ID, chat.Member{UserID: user, Username: "bob"}); err != nil {
				t.Error(err)
			}
		})
		both.Go(func() {
			if err := s.PutMessages(ctx, []chat.StoredMessage{m}); err != nil {
				t.Error(err)
			}
			if err := errors.Join(s.PutHeads(ctx, []chat.Head{head(m)}), s.PutInboxes(ctx, []chat.Head{head(m)})); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
		for _, who := range []chat.ID{user, founder, users[len(users)/2]} {
			if _, entries := inboxOf(t, s, who); len(entries) != 1 || entries[0].LastSeq != seq || !entries[0].ActivityAt.Equal(m.CreatedAt) {
				t.Fatalf("at message %d an inbox has %+v", seq, entries)
			}
		}
	}
	if r, _, err := s.conversation(ctx, c.ID, s.serial); err != nil || !r.wide || len(r.inboxes()) != 0 || len(r.Members) != 41 {
		t.Errorf("in the end: wide %v with %d inboxes and %d members, %v", r.wide, len(r.inboxes()), len(r.Members), err)
	}
}

// The last of several buckets is found, with and without a head.
func TestBuckets(t *testing.T) {
	s, ctx, id := open(t, migrated(t)), t.Context(), chat.NewID()
	var list []chat.StoredMessage
	for seq := int64(1); seq <= 2*bucketSize+500; seq++ {
		list = append(list, message(id, seq, "x"))
	}
	if err := s.PutMessages(ctx, list); err != nil {
		t.Fatal(err)
	}
	for _, headSeq := range []int64{0, 3, bucketSize, bucketSize + 1, 2*bucketSize + 500} {
		if headSeq > 0 {
			if err := s.PutHeads(ctx, []chat.Head{head(list[headSeq-1])}); err != nil {
				t.Fatal(err)
			}
		}
		for _, below := range []int64{1, 2, bucketSize, bucketSize + 1, bucketSize + 2, 2*bucketSize + 1, 9999} {
			want := min(below-1, int64(len(list)))
			if last, err := s.LastBefore(ctx, id, chat.Position{Offset: below}); err != nil || last != want {
				t.Errorf("head %d: below %d is %d, %v", headSeq, below, last, err)
			}
		}
		for _, page := range []struct{ after, limit int64 }{{0, 1000}, {bucketSize - 1, 2}, {bucketSize, 1}, {990, 1500}, {0, 9999}} {
			got, err := s.Messages(ctx, id, page.after, int(page.limit))
			want := max(0, min(page.limit, headSeq-page.after))
			if err != nil || int64(len(got)) != want || want > 0 && (got[0].Seq != page.after+1 || got[want-1].Seq != page.after+want) {
				t.Errorf("head %d: %d after %d are %d, %v", headSeq, page.limit, page.after, len(got), err)
			}
			got, err = s.MessagesBefore(ctx, id, page.after+2, int(page.limit))
			upTo := min(page.after+1, headSeq)
			want = min(upTo, page.limit)
			if err != nil || int64(len(got)) != want || want > 0 && (got[0].Seq != upTo-want+1 || got[want-1].Seq != upTo) {
				t.Errorf("head %d: %d before %d are %d, %v", headSeq, page.limit, page.after+2, len(got), err)
			}
		}
	}
}
