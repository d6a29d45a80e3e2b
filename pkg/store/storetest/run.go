package storetest

import (
	"reflect"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// Run checks a backend. Every check makes its own ids, keys and topics, so open may return a new store each
// time or the same one again. It closes what it opens, by t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) Store) {
	for _, c := range []struct {
		name  string
		check func(*testing.T, Store)
	}{
		{"CreateConversation", checkCreate},
		{"CreateConversation/sameKeyOrID", checkCreateAgain},
		{"CreateConversation/atOnce", checkCreateAtOnce},
		{"Members", checkMembers},
		{"Members/atOnce", checkMembersAtOnce},
		{"Messages/asSent", checkMessagesAsSent},
		{"Messages/paging", checkPaging},
		{"Messages/neverPastTheHead", checkNeverPastTheHead},
		{"Messages/greaterPositionStays", checkGreaterPositionStays},
		{"StoredByID/lowerPositionStays", checkLowerPositionStays},
		{"LastBefore", checkLastBefore},
		{"Heads", checkHeads},
		{"ReadMarks", checkReadMarks},
		{"Thousands", checkThousands},
		{"Inbox", checkInbox},
		{"Inbox/paging", checkInboxPaging},
		{"Inbox/bigRoom", checkInboxBigRoom},
		{"Peers", checkPeers},
		{"Peers/bigSeller", checkPeersOfABigSeller},
		{"Settings", checkSettings},
		{"Calls", checkCalls},
		{"Erase", checkErase},
		{"Erase/replay", checkErasedStaysErased},
		{"Erasure", checkErasure},
		{"TopicIdentity", checkTopicIdentity},
		{"Cancelled", checkCancelled},
		{"SharesNoMemory", checkSharesNoMemory},
		{"ReadersBesideWriters", checkReadersBesideWriters},
		{"WritersAtOnce", checkWritersAtOnce},
		{"RandomHistories", checkRandomHistories},
	} {
		t.Run(c.name, func(t *testing.T) { c.check(t, open(t)) })
	}
}

// dawn is a time that a store must round: to the millisecond, to UTC.
func dawn() time.Time {
	return time.Date(2026, 3, 1, 6, 0, 0, 123_456_789, time.FixedZone("", 2*60*60))
}

func at(offset int64) chat.Position { return chat.Position{Offset: offset} }

// text is a plain message; its position follows from its seq.
func text(conversation chat.ID, seq int64, body string) chat.StoredMessage {
	return chat.StoredMessage{
		Message: chat.Message{
			ID: chat.NewID(), ConversationID: conversation, Seq: seq,
			Sender: chat.User{ID: chat.NewID(), Username: "sam"}, Text: body,
			CreatedAt: dawn().Add(time.Duration(seq) * time.Second),
		},
		Position: at(100 + seq),
	}
}

// headOf is the head that goes with a message.
func headOf(m chat.StoredMessage) chat.Head {
	return chat.Head{ConversationID: m.ConversationID, Seq: m.Seq, Position: m.Position, ActivityAt: m.CreatedAt}
}

// storeTexts stores messages 1 to n of a conversation, and its head.
func storeTexts(t *testing.T, s Store, conversation chat.ID, n int64) []chat.StoredMessage {
	t.Helper()
	var list []chat.StoredMessage
	for seq := int64(1); seq <= n; seq++ {
		list = append(list, text(conversation, seq, "hello"))
	}
	must(t, s.PutMessages(t.Context(), list))
	move(t, s, list[n-1])
	return list
}

// move makes a message its conversation's head, for inboxes, too.
func move(t *testing.T, s Store, m chat.StoredMessage) {
	t.Helper()
	heads := []chat.Head{headOf(m)}
	must(t, s.PutHeads(t.Context(), heads))
	must(t, s.PutInboxes(t.Context(), heads))
}

// newConversation creates one of some users, without a key.
func newConversation(t *testing.T, s Store, createdAt time.Time, users ...chat.ID) chat.Conversation {
	t.Helper()
	c := chat.Conversation{ID: chat.NewID(), Revision: 1, CreatedAt: createdAt}
	for _, user := range users {
		c.Members = append(c.Members, chat.Member{UserID: user, Username: "user", Role: "buyer"})
	}
	stored, created, err := s.CreateConversation(t.Context(), c)
	must(t, err)
	if !created {
		t.Fatalf("a new conversation was not created: %+v", stored)
	}
	return stored
}

// normal is a message as a store gives it back.
func normal(m chat.Message) chat.Message { return cloneMessage(m) }

func normals(list []chat.StoredMessage) []chat.Message {
	var normalised []chat.Message
	for _, m := range list {
		normalised = append(normalised, normal(m.Message))
	}
	return normalised
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// get is for calls whose error would end the test: get(t)(s.ReadSeq(…)).
func get[V any](t *testing.T) func(V, error) V {
	t.Helper()
	return func(v V, err error) V {
		t.Helper()
		must(t, err)
		return v
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !same(got, want) {
		t.Fatalf("%s\n got %+v\nwant %+v", what, got, want)
	}
}

// same is deep equality, but that an empty list is an empty list, nil or not.
func same(got, want any) bool {
	g, w := reflect.ValueOf(got), reflect.ValueOf(want)
	if g.IsValid() && w.IsValid() && g.Type() == w.Type() && g.Kind() == reflect.Slice && g.Len() == 0 && w.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(got, want)
}
