package storetest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

func checkInbox(t *testing.T, s Store) {
	ctx, me, you := t.Context(), chat.NewID(), chat.NewID()
	quiet := newConversation(t, s, dawn().Add(time.Hour), me, you) // nobody wrote
	busy := newConversation(t, s, dawn(), you, me)
	left := newConversation(t, s, dawn(), me, you)
	newConversation(t, s, dawn(), you) // none of mine
	keyed, _, err := s.CreateConversation(ctx, chat.Conversation{
		ID: chat.NewID(), Key: "k" + chat.NewID().String(), Revision: 1, CreatedAt: dawn().Add(2 * time.Hour),
		Members: []chat.Member{{UserID: me, Username: "me", Role: "seller"}}, Metadata: json.RawMessage(`{"listing": 7}`),
	})
	must(t, err)
	said := storeTexts(t, s, busy.ID, 3)
	unheard := text(busy.ID, 4, "stored, but not yet to be read")
	must(t, s.PutMessages(ctx, []chat.StoredMessage{unheard}))
	must(t, s.PutReadMarks(ctx, []chat.ReadMark{
		{ConversationID: busy.ID, UserID: me, Seq: 2}, {ConversationID: busy.ID, UserID: you, Seq: 3}, {ConversationID: quiet.ID, UserID: you, Seq: 1},
	}))
	must(t, s.PutReadMarks(ctx, []chat.ReadMark{{ConversationID: left.ID, UserID: me, Seq: 9}}))
	_, err = s.RemoveMember(ctx, left.ID, me)
	must(t, err)

	inbox := func(want ...chat.InboxEntry) {
		t.Helper()
		got := get[[]chat.InboxEntry](t)(s.Inbox(ctx, me, chat.InboxCursor{}, 10))
		equal(t, "entries", len(got), len(want))
		for i := range want {
			equal(t, fmt.Sprint("entry ", i, ", last message"), got[i].LastMessage, want[i].LastMessage)
			got[i].LastMessage, want[i].LastMessage = nil, nil
			equal(t, fmt.Sprint("entry ", i), got[i], want[i])
		}
	}
	third := normal(said[2].Message)
	keyedEntry := chat.InboxEntry{Conversation: keyed, ActivityAt: keyed.CreatedAt}
	quietEntry := chat.InboxEntry{Conversation: quiet, ActivityAt: quiet.CreatedAt}
	inbox(keyedEntry, quietEntry, chat.InboxEntry{Conversation: busy, LastMessage: &third, LastSeq: 3, ReadSeq: 2, ActivityAt: third.CreatedAt})

	// A message lifts its conversation to the top.
	m := text(busy.ID, 4, "news")
	m.CreatedAt, m.Position = dawn().Add(3*time.Hour), unheard.Position
	m.Seq, m.Position.Offset = 5, unheard.Position.Offset+1
	must(t, s.PutMessages(ctx, []chat.StoredMessage{m}))
	move(t, s, m)
	fifth := normal(m.Message)
	inbox(chat.InboxEntry{Conversation: busy, LastMessage: &fifth, LastSeq: 5, ReadSeq: 2, ActivityAt: fifth.CreatedAt}, keyedEntry, quietEntry)

	// Coming back brings back the conversation, and the mark.
	back := get[chat.Conversation](t)(s.PutMember(ctx, left.ID, chat.Member{UserID: me, Username: "me"}))
	inbox(chat.InboxEntry{Conversation: busy, LastMessage: &fifth, LastSeq: 5, ReadSeq: 2, ActivityAt: fifth.CreatedAt}, keyedEntry, quietEntry,
		chat.InboxEntry{Conversation: back, ReadSeq: 9, ActivityAt: back.CreatedAt})

	equal(t, "a stranger's", get[[]chat.InboxEntry](t)(s.Inbox(ctx, chat.NewID(), chat.InboxCursor{}, 10)), []chat.InboxEntry{})
	for _, limit := range []int{0, -1} {
		equal(t, "nothing asked for", get[[]chat.InboxEntry](t)(s.Inbox(ctx, me, chat.InboxCursor{}, limit)), []chat.InboxEntry{})
	}
}

// checkInboxPaging: with many conversations of one moment, pages of every size give each of them once, in one order,
// and what becomes active meanwhile disturbs nothing that stayed as it was.
func checkInboxPaging(t *testing.T, s Store) {
	ctx, me := t.Context(), chat.NewID()
	const n = 23
	for i := range n {
		id := chat.NewID()
		id[0] = byte(i * 101) // ids that do not sort as they are made, and use the high bit
		c := chat.Conversation{ID: id, Revision: 1, CreatedAt: dawn().Add(time.Duration(i/6) * time.Minute), Members: []chat.Member{{UserID: me, Username: "me"}}}
		if i%5 == 0 {
			c.CreatedAt = time.UnixMilli(-1000 * int64(i)) // before 1970
		}
		_, _, err := s.CreateConversation(ctx, c)
		must(t, err)
	}
	all := get[[]chat.InboxEntry](t)(s.Inbox(ctx, me, chat.InboxCursor{}, n+1))
	equal(t, "conversations", len(all), n)
	for i := range all[1:] {
		a, b := cursorOf(all[i]), cursorOf(all[i+1])
		if newestFirst(a, b) >= 0 {
			t.Fatalf("%+v stands above %+v", a, b)
		}
	}
	for size := 1; size <= n+1; size += 3 {
		var paged []chat.InboxEntry
		for cursor := (chat.InboxCursor{}); ; cursor = cursorOf(paged[len(paged)-1]) {
			page := get[[]chat.InboxEntry](t)(s.Inbox(ctx, me, cursor, size))
			if len(page) == 0 || len(paged) > n { // the second: an inbox that goes round in circles
				break
			}
			paged = append(paged, page...)
		}
		equal(t, fmt.Sprint("in pages of ", size), paged, all)
	}
	// A cursor is compared by the millisecond, whatever finer time or zone it comes in.
	cursor := cursorOf(all[4])
	cursor.ActivityAt = cursor.ActivityAt.Add(999 * time.Microsecond).In(time.FixedZone("", -3600))
	equal(t, "below a finer cursor", get[[]chat.InboxEntry](t)(s.Inbox(ctx, me, cursor, n)), all[5:])

	// The fourth becomes active after the first page was read.
	m := text(all[3].Conversation.ID, 1, "hi")
	m.CreatedAt = dawn().AddDate(0, 0, 1)
	must(t, s.PutMessages(ctx, []chat.StoredMessage{m}))
	move(t, s, m)
	equal(t, "the page after one that has changed", get[[]chat.InboxEntry](t)(s.Inbox(ctx, me, cursorOf(all[5]), n)), all[6:])
	equal(t, "the new top", get[[]chat.InboxEntry](t)(s.Inbox(ctx, me, chat.InboxCursor{}, 1))[0].Conversation, all[3].Conversation)
}

func cursorOf(e chat.InboxEntry) chat.InboxCursor {
	return chat.InboxCursor{ActivityAt: e.ActivityAt, ConversationID: e.Conversation.ID}
}

// checkInboxBigRoom: a page holds all members of its conversations, each in its own.
func checkInboxBigRoom(t *testing.T, s Store) {
	me, users := chat.NewID(), []chat.ID{}
	for range 1000 {
		users = append(users, chat.NewID())
	}
	var want []chat.Conversation
	for i, n := range []int{0, 1, 1000, 3} {
		want = append(want, newConversation(t, s, dawn().Add(-time.Duration(i)*time.Minute), append(users[:n:n], me)...))
	}
	var got []chat.Conversation
	for _, e := range get[[]chat.InboxEntry](t)(s.Inbox(t.Context(), me, chat.InboxCursor{}, 10)) {
		got = append(got, e.Conversation)
	}
	equal(t, "conversations", got, want)
}

func checkPeers(t *testing.T, s Store) {
	ctx, me := t.Context(), chat.NewID()
	var users []chat.ID
	for i := range 6 {
		id := chat.NewID()
		id[0] = byte(0xF0 - 0x30*i) // the first is the greatest
		users = append(users, id)
	}
	newConversation(t, s, dawn().Add(-time.Hour), users[2], me) // long quiet, so it counts for nothing
	newConversation(t, s, dawn().Add(1*time.Hour), users[0], me, users[1])
	second := newConversation(t, s, dawn().Add(2*time.Hour), users[2], users[1], me)
	newConversation(t, s, dawn().Add(3*time.Hour), me)
	newConversation(t, s, dawn().Add(9*time.Hour), users[0], users[5]) // without me
	old := newConversation(t, s, dawn(), users[3], me)
	left := newConversation(t, s, dawn().Add(9*time.Hour), users[4], me)
	_, err := s.RemoveMember(ctx, left.ID, me)
	must(t, err)

	peers := func(limit int, want ...chat.ID) {
		t.Helper()
		equal(t, fmt.Sprint("at most ", limit), get[[]chat.ID](t)(s.Peers(ctx, me, limit)), want)
	}
	peers(10, users[2], users[1], users[0], users[3])
	m := text(old.ID, 1, "long time")
	m.CreatedAt = dawn().Add(4 * time.Hour)
	move(t, s, m)
	peers(10, users[3], users[2], users[1], users[0])
	peers(2, users[3], users[2])
	peers(1, users[3])
	peers(0)
	peers(-1)
	_, err = s.RemoveMember(ctx, second.ID, users[2])
	must(t, err)
	peers(10, users[3], users[1], users[0], users[2])
	equal(t, "of a stranger", get[[]chat.ID](t)(s.Peers(ctx, chat.NewID(), 10)), []chat.ID{})
}
