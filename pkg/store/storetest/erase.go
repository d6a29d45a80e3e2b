package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// wrote stores messages of some senders in turn, the first of them first, and moves the head.
func wrote(t *testing.T, s Store, conversation chat.ID, n int64, senders ...chat.ID) []chat.StoredMessage {
	t.Helper()
	var list []chat.StoredMessage
	for seq := int64(1); seq <= n; seq++ {
		m := text(conversation, seq, "secret")
		m.Sender.ID = senders[(seq-1)%int64(len(senders))]
		m.AttachmentURLs = []string{"https://example.com/private.jpg"}
		list = append(list, m)
	}
	must(t, s.PutMessages(t.Context(), list))
	move(t, s, list[n-1])
	return list
}

// erase collects what Erase tells, by conversation.
func erase(t *testing.T, s Store, user chat.ID, before time.Time) map[chat.ID][]int64 {
	t.Helper()
	told := map[chat.ID][]int64{}
	must(t, s.Erase(t.Context(), user, before, func(p chat.ErasedPart) error {
		if len(p.Seqs) == 0 || len(p.Seqs) > 1000 || !slices.IsSorted(p.Seqs) || p.From.After(p.To) {
			t.Errorf("a part of %d numbers, from %s to %s", len(p.Seqs), p.From, p.To)
		}
		told[p.ConversationID] = append(told[p.ConversationID], p.Seqs...)
		return nil
	}))
	for _, seqs := range told {
		slices.Sort(seqs)
	}
	return told
}

func checkErase(t *testing.T, s Store) {
	gone, stays := chat.NewID(), chat.NewID()
	long, short, foreign := chat.NewID(), chat.NewID(), chat.NewID()
	const n = 2100 // three buckets
	all := map[chat.ID][]chat.StoredMessage{long: wrote(t, s, long, n, gone, stays), short: wrote(t, s, short, 3, gone), foreign: wrote(t, s, foreign, 3, stays)}
	before := milliseconds(all[long][n-2].CreatedAt) // the last of the first sender's is not before it
	equal(t, "nobody's", erase(t, s, chat.NewID(), before), map[chat.ID][]int64{})
	want := map[chat.ID][]int64{short: {1, 2, 3}}
	for seq := int64(1); seq < n-1; seq += 2 {
		want[long] = append(want[long], seq)
	}
	for range 2 { // the second time nothing changes, and the same is told
		equal(t, "erased", erase(t, s, gone, before), want)
		for conversation, list := range all {
			var expected []chat.Message
			for _, m := range list {
				if slices.Contains(want[conversation], m.Seq) {
					m.Text, m.AttachmentURLs, m.Sender.Username = "", nil, ""
				}
				expected = append(expected, normal(m.Message))
			}
			equal(t, "the history", get[[]chat.Message](t)(s.Messages(t.Context(), conversation, 0, n)), expected)
		}
	}
	found := get[map[chat.ID]chat.StoredID](t)(s.StoredByID(t.Context(), []chat.ID{all[long][0].ID, all[long][1].ID}))
	if found[all[long][0].ID].BodyHash != [32]byte{} || found[all[long][1].ID].BodyHash != all[long][1].BodyHash() {
		t.Error("the body's hash tells what was written, or is gone where it should not be")
	}
	stop := chat.ErrInternal
	if err := s.Erase(t.Context(), gone, before, func(chat.ErasedPart) error { return stop }); err != stop { //nolint:errorlint // this very one
		t.Errorf("%v; want the error of whoever is told", err)
	}
}

// What is erased stays so when the log is read again, and another record that gets the number is not erased.
func checkErasedStaysErased(t *testing.T, s Store) {
	user, conversation := chat.NewID(), chat.NewID()
	list := wrote(t, s, conversation, 3, user)
	erase(t, s, user, list[2].CreatedAt.Add(time.Second))
	must(t, s.PutMessages(t.Context(), list))
	for _, m := range get[[]chat.Message](t)(s.Messages(t.Context(), conversation, 0, 10)) {
		if m.Text != "" || m.AttachmentURLs != nil || m.Sender.Username != "" {
			t.Errorf("after a replay: %+v", m)
		}
	}
	found := get[map[chat.ID]chat.StoredID](t)(s.StoredByID(t.Context(), []chat.ID{list[0].ID}))
	if found[list[0].ID].BodyHash != [32]byte{} {
		t.Error("after a replay the body's hash is back")
	}
	later := text(conversation, 2, "another")
	later.Position = at(list[1].Position.Offset + 1)
	must(t, s.PutMessages(t.Context(), []chat.StoredMessage{later}))
	equal(t, "a greater position", get[[]chat.Message](t)(s.Messages(t.Context(), conversation, 1, 1)), []chat.Message{normal(later.Message)})
}

func checkErasure(t *testing.T, s Store) {
	user := chat.NewID()
	if _, found, err := s.Erasure(t.Context(), user); found || err != nil {
		t.Fatalf("found %t, %v", found, err)
	}
	first := chat.Erasure{UserID: user, RequestedAt: milliseconds(dawn())}
	moved, done, again := first, first, first
	moved.Conversations, moved.Messages = 1, 7
	done.Conversations, done.Messages, done.FinishedAt = 2, 9, milliseconds(dawn().Add(time.Minute))
	again.RequestedAt = first.RequestedAt.Add(time.Hour)
	for _, step := range []struct{ put, want chat.Erasure }{{first, first}, {moved, moved}, {first, moved}, {done, done}, {moved, done}, {again, again}, {done, again}} {
		must(t, s.PutErasure(t.Context(), step.put))
		got, found, err := s.Erasure(t.Context(), user)
		must(t, err)
		if !found {
			t.Fatal("it is not there")
		}
		equal(t, "the erasure", got, step.want)
	}
}
