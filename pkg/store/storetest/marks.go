package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

func checkHeads(t *testing.T, s Store) {
	ctx, a, b, unknown := t.Context(), chat.NewID(), chat.NewID(), chat.NewID()
	head := func(conversation chat.ID, seq int64) chat.Head {
		return chat.Head{
			ConversationID: conversation, Seq: seq, Position: chat.Position{Epoch: 2, Offset: 1000 + seq},
			ActivityAt: dawn().Add(-time.Duration(seq) * time.Hour), // a later message may be dated earlier
		}
	}
	for _, step := range []struct {
		put  []chat.Head
		want []chat.Head
	}{
		{nil, nil},
		{[]chat.Head{head(a, 3)}, []chat.Head{head(a, 3)}},
		{[]chat.Head{head(a, 2), head(b, 1)}, []chat.Head{head(a, 3), head(b, 1)}},
		{[]chat.Head{head(b, 5), head(b, 4), head(a, 3)}, []chat.Head{head(a, 3), head(b, 5)}},
		{[]chat.Head{head(a, 4), head(a, 12)}, []chat.Head{head(a, 12), head(b, 5)}},
	} {
		must(t, s.PutHeads(ctx, step.put))
		want := map[chat.ID]chat.Head{}
		for _, h := range step.want {
			h.ActivityAt = milliseconds(h.ActivityAt)
			want[h.ConversationID] = h
		}
		got := get[map[chat.ID]chat.Head](t)(s.Heads(ctx, []chat.ID{a, unknown, b, a}))
		equal(t, fmt.Sprintf("after %+v", step.put), got, want)
	}
	equal(t, "of none", get[map[chat.ID]chat.Head](t)(s.Heads(ctx, nil)), map[chat.ID]chat.Head{})
}

func checkReadMarks(t *testing.T, s Store) {
	ctx, c, d, u, v := t.Context(), chat.NewID(), chat.NewID(), chat.NewID(), chat.NewID()
	type marks = map[chat.ID]int64
	stranger := chat.NewID()
	for _, step := range []struct {
		put      []chat.ReadMark
		ofC, ofD marks
	}{
		{nil, marks{u: 0, v: 0}, marks{u: 0, v: 0, stranger: 0}},
		{[]chat.ReadMark{{ConversationID: c, UserID: u, Seq: 5}}, marks{u: 5, v: 0}, marks{u: 0, v: 0, stranger: 0}},
		{[]chat.ReadMark{{ConversationID: c, UserID: u, Seq: 4}, {ConversationID: c, UserID: v, Seq: 1}}, marks{u: 5, v: 1}, marks{u: 0, v: 0, stranger: 0}},
		{[]chat.ReadMark{{ConversationID: d, UserID: u, Seq: 7}, {ConversationID: d, UserID: u, Seq: 6}}, marks{u: 5, v: 1}, marks{u: 7, v: 0, stranger: 0}},
		{[]chat.ReadMark{{ConversationID: c, UserID: u, Seq: 10}, {ConversationID: d, UserID: v, Seq: 2}}, marks{u: 10, v: 1}, marks{u: 7, v: 2, stranger: 0}},
	} {
		must(t, s.PutReadMarks(ctx, step.put))
		read := func(room chat.ID, users ...chat.ID) marks { return get[marks](t)(s.ReadSeqs(ctx, room, users)) }
		equal(t, fmt.Sprintf("after %+v", step.put), []marks{read(c, u, v), read(d, v, u, stranger), read(c, u)}, []marks{step.ofC, step.ofD, {u: step.ofC[u]}})
	}
	equal(t, "of nobody", get[marks](t)(s.ReadSeqs(ctx, c, nil)), marks{})
}

func checkTopicIdentity(t *testing.T, s Store) {
	first := chat.TopicIdentity{Topic: "chat." + chat.NewID().String(), ID: "b2x7Q0", Partitions: 64, Epoch: 0}
	other := chat.TopicIdentity{Topic: first.Topic + "2", ID: "", Partitions: 1, Epoch: 7}
	if _, found, err := s.TopicIdentity(t.Context(), first.Topic); found || err != nil {
		t.Fatalf("a topic nobody put: %v, %v", found, err)
	}
	again := chat.TopicIdentity{Topic: first.Topic, ID: "c3y8R1", Partitions: 32, Epoch: 1}
	for _, identity := range []chat.TopicIdentity{first, other, again} {
		must(t, s.PutTopicIdentity(t.Context(), identity))
		got, found, err := s.TopicIdentity(t.Context(), identity.Topic)
		must(t, err)
		if !found || got != identity {
			t.Fatalf("got %+v, %v, put %+v", got, found, identity)
		}
	}
	got, _, err := s.TopicIdentity(t.Context(), other.Topic)
	must(t, err)
	equal(t, "the other topic", got, other)
}

// checkThousands: calls with thousands of items work, and find each of them and nothing else.
func checkThousands(t *testing.T, s Store) {
	const n = 5000
	var (
		ctx      = t.Context()
		messages []chat.StoredMessage
		heads    []chat.Head
		marks    []chat.ReadMark // in one conversation
		readers  []chat.ID
		ids      []chat.ID
		rooms    []chat.ID
	)
	for i := range n {
		m := text(chat.NewID(), int64(i+1), "x")
		ids, rooms = append(ids, m.ID, chat.NewID()), append(rooms, m.ConversationID, chat.NewID())
		messages, heads = append(messages, m), append(heads, headOf(m))
		marks = append(marks, chat.ReadMark{ConversationID: rooms[0], UserID: m.Sender.ID, Seq: m.Seq})
		readers = append(readers, m.Sender.ID, chat.NewID())
	}
	must(t, s.PutMessages(ctx, messages))
	must(t, s.PutHeads(ctx, heads))
	must(t, s.PutReadMarks(ctx, marks))
	found := get[map[chat.ID]chat.StoredID](t)(s.StoredByID(ctx, ids))
	at := get[map[chat.ID]chat.Head](t)(s.Heads(ctx, rooms))
	if len(found) != n || len(at) != n {
		t.Fatalf("%d ids and %d heads of %d", len(found), len(at), n)
	}
	for _, m := range messages {
		if found[m.ID].Seq != m.Seq || found[m.ID].ConversationID != m.ConversationID || at[m.ConversationID].Seq != m.Seq {
			t.Fatalf("%+v is found as %+v under %+v", m, found[m.ID], at[m.ConversationID])
		}
	}
	read := get[map[chat.ID]int64](t)(s.ReadSeqs(ctx, rooms[0], readers))
	if len(read) != len(readers) {
		t.Fatalf("%d marks of %d users", len(read), len(readers))
	}
	for i, m := range marks {
		if read[m.UserID] != m.Seq || read[readers[2*i+1]] != 0 {
			t.Fatalf("%+v is read as %d, and nothing as %d", m, read[m.UserID], read[readers[2*i+1]])
		}
	}
}
