package storetest

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/dozaar/dozaar/pkg/chat"
)

func checkMessagesAsSent(t *testing.T, s Store) {
	conversation := chat.NewID()
	url := "https://example.com/" + strings.Repeat("a", chat.MaxAttachmentURLChars-20)
	var list []chat.StoredMessage
	for i, body := range []string{
		"hello", "", "nul \x00 inside", "\x00", "end\x00", strings.Repeat("😀", chat.MaxMessageChars),
		"<script>alert('x')</script>", "\u202eright to left \r\n\t\x01", `quote " ' \ %s {"a":1}`, "é e\u0301 \uFEFF \uFFFD \U0010FFFF",
	} {
		m := text(conversation, int64(i+1), body)
		list = append(list, m)
	}
	list[0].ClientMessageID = chat.NewID()
	list[0].Sender.Username = "n\x00ul 😀"
	list[1].AttachmentURLs = []string{"https://example.com/ü?a=1&b=<2>#\"x\"", "http://example.com/\u2028"}
	list[2].AttachmentURLs = []string{}
	for range chat.MaxAttachments {
		list[3].AttachmentURLs = append(list[3].AttachmentURLs, url)
	}
	list[4].Position = chat.Position{Epoch: math.MaxInt32, Offset: math.MaxInt64}
	must(t, s.PutMessages(t.Context(), list))
	last := list[len(list)-1]
	must(t, s.PutHeads(t.Context(), []chat.Head{headOf(last)}))

	want := normals(list)
	equal(t, "forwards", get[[]chat.Message](t)(s.Messages(t.Context(), conversation, 0, 100)), want)
	equal(t, "backwards", get[[]chat.Message](t)(s.MessagesBefore(t.Context(), conversation, 0, 100)), want)
	for _, m := range list {
		found := get[map[chat.ID]chat.StoredID](t)(s.StoredByID(t.Context(), []chat.ID{m.ID}))
		equal(t, "by id", found, map[chat.ID]chat.StoredID{m.ID: {
			ConversationID: conversation, Seq: m.Seq, Position: m.Position, BodyHash: m.BodyHash(),
			SenderID: m.Sender.ID, CreatedAt: milliseconds(m.CreatedAt),
		}})
	}
	must(t, s.PutMessages(t.Context(), list)) // a replay
	equal(t, "after a replay", get[[]chat.Message](t)(s.Messages(t.Context(), conversation, 0, 100)), want)
	must(t, s.PutMessages(t.Context(), nil))
}

func checkPaging(t *testing.T, s Store) {
	conversation, neighbour := chat.NewID(), chat.NewID()
	storeTexts(t, s, neighbour, 20)
	all := normals(storeTexts(t, s, conversation, 12))
	for _, page := range []struct {
		after       int64
		limit       int
		first, last int // seq; 0, 0: empty
	}{
		{0, 5, 1, 5}, {5, 5, 6, 10}, {10, 5, 11, 12}, {12, 5, 0, 0}, {99, 5, 0, 0}, {0, 12, 1, 12}, {0, 1000, 1, 12},
		{11, 1, 12, 12}, {0, 0, 0, 0}, {0, -1, 0, 0}, {-7, 2, 1, 2}, {math.MaxInt64, 5, 0, 0},
	} {
		got := get[[]chat.Message](t)(s.Messages(t.Context(), conversation, page.after, page.limit))
		equal(t, fmt.Sprintf("%d after %d", page.limit, page.after), got, all[max(page.first-1, 0):page.last])
	}
	for _, page := range []struct {
		before      int64
		limit       int
		first, last int
	}{
		{0, 5, 8, 12}, {8, 5, 3, 7}, {3, 5, 1, 2}, {1, 5, 0, 0}, {13, 2, 11, 12}, {12, 2, 10, 11}, {999, 2, 11, 12},
		{math.MaxInt64, 1, 12, 12}, {0, 100, 1, 12}, {0, 0, 0, 0}, {0, -1, 0, 0}, {-3, 5, 0, 0},
	} {
		got := get[[]chat.Message](t)(s.MessagesBefore(t.Context(), conversation, page.before, page.limit))
		equal(t, fmt.Sprintf("%d before %d", page.limit, page.before), got, all[max(page.first-1, 0):page.last])
	}
	unknown := chat.NewID()
	equal(t, "unknown conversation", get[[]chat.Message](t)(s.Messages(t.Context(), unknown, 0, 10)), []chat.Message{})
	equal(t, "unknown conversation", get[[]chat.Message](t)(s.MessagesBefore(t.Context(), unknown, 0, 10)), []chat.Message{})
}

func checkNeverPastTheHead(t *testing.T, s Store) {
	conversation := chat.NewID()
	list := []chat.StoredMessage{text(conversation, 1, "one"), text(conversation, 2, "two"), text(conversation, 3, "three")}
	must(t, s.PutMessages(t.Context(), list))
	for head := range 4 {
		if head > 0 {
			must(t, s.PutHeads(t.Context(), []chat.Head{headOf(list[head-1])}))
		}
		want := normals(list[:head])
		equal(t, fmt.Sprintf("forwards to head %d", head), get[[]chat.Message](t)(s.Messages(t.Context(), conversation, 0, 10)), want)
		equal(t, fmt.Sprintf("backwards from head %d", head), get[[]chat.Message](t)(s.MessagesBefore(t.Context(), conversation, 0, 10)), want)
		equal(t, fmt.Sprintf("below 3 from head %d", head), get[[]chat.Message](t)(s.MessagesBefore(t.Context(), conversation, 3, 10)), want[:min(head, 2)])
	}
}

// checkGreaterPositionStays: a stale writer never replaces what a later record of the log put under a number.
func checkGreaterPositionStays(t *testing.T, s Store) {
	conversation := chat.NewID()
	var list []chat.StoredMessage
	for _, p := range []chat.Position{{Epoch: 1, Offset: 5}, {Epoch: 0, Offset: 900}, {Epoch: 1, Offset: 4}, {Epoch: 1, Offset: 6}, {Epoch: 2, Offset: 0}, {Epoch: 1, Offset: 7}} {
		m := text(conversation, 1, fmt.Sprint("at ", p))
		m.Sender.Username, m.ClientMessageID, m.Position = fmt.Sprint(p), chat.NewID(), p
		m.AttachmentURLs = []string{"https://example.com/" + m.ID.String()}
		list = append(list, m)
	}
	list[4].ClientMessageID, list[4].AttachmentURLs = chat.ID{}, nil // what the loser had must not shine through
	must(t, s.PutHeads(t.Context(), []chat.Head{headOf(list[0])}))
	var stays chat.StoredMessage
	for _, m := range list {
		must(t, s.PutMessages(t.Context(), []chat.StoredMessage{m}))
		if stays.Position.Before(m.Position) {
			stays = m
		}
		equal(t, fmt.Sprint("after ", m.Position), get[[]chat.Message](t)(s.Messages(t.Context(), conversation, 0, 9)), normals([]chat.StoredMessage{stays}))
	}

	// The same in one call, in either order.
	for _, order := range [][]int{{4, 1}, {1, 4}} {
		conversation := chat.NewID()
		must(t, s.PutHeads(t.Context(), []chat.Head{{ConversationID: conversation, Seq: 1}}))
		var call []chat.StoredMessage
		for _, i := range order {
			m := list[i]
			m.ID, m.ConversationID = chat.NewID(), conversation
			call = append(call, m)
		}
		must(t, s.PutMessages(t.Context(), call))
		got := get[[]chat.Message](t)(s.Messages(t.Context(), conversation, 0, 9))
		if len(got) != 1 || got[0].Text != list[4].Text {
			t.Fatalf("of %+v in one call stays %+v", call, got)
		}
	}
}

// checkLowerPositionStays: the first body under a message id stands, whoever writes when.
func checkLowerPositionStays(t *testing.T, s Store) {
	id := chat.NewID()
	var stays chat.StoredMessage
	for i, p := range []chat.Position{{Epoch: 1, Offset: 5}, {Epoch: 1, Offset: 6}, {Epoch: 2, Offset: 0}, {Epoch: 1, Offset: 4}, {Epoch: 0, Offset: 900}, {Epoch: 1, Offset: 1}} {
		m := text(chat.NewID(), int64(i+1), fmt.Sprint("at ", p))
		m.ID, m.Position = id, p
		must(t, s.PutMessages(t.Context(), []chat.StoredMessage{m}))
		if i == 0 || p.Before(stays.Position) {
			stays = m
		}
		equal(t, fmt.Sprint("after ", p), get[map[chat.ID]chat.StoredID](t)(s.StoredByID(t.Context(), []chat.ID{id})), map[chat.ID]chat.StoredID{id: {
			ConversationID: stays.ConversationID, Seq: stays.Seq, Position: stays.Position, BodyHash: stays.BodyHash(),
			SenderID: stays.Sender.ID, CreatedAt: milliseconds(stays.CreatedAt),
		}})
	}
}

func checkLastBefore(t *testing.T, s Store) {
	conversation := chat.NewID()
	last := func(epoch int32, offset int64) int64 {
		return get[int64](t)(s.LastBefore(t.Context(), conversation, chat.Position{Epoch: epoch, Offset: offset}))
	}
	equal(t, "nothing stored", last(9, 9), int64(0))
	storeTexts(t, s, chat.NewID(), 9) // somebody else's rows
	var list []chat.StoredMessage
	for i, p := range []chat.Position{{Epoch: 0, Offset: 10}, {Epoch: 0, Offset: 20}, {Epoch: 1, Offset: 0}, {Epoch: 1, Offset: 7}} {
		m := text(conversation, int64(i+1), "x")
		m.Position = p
		list = append(list, m)
	}
	must(t, s.PutMessages(t.Context(), list)) // and no head: rows count before they may be read
	for _, c := range []struct {
		epoch        int32
		offset, last int64
	}{{0, 0, 0}, {0, 10, 0}, {0, 11, 1}, {0, 20, 1}, {0, 21, 2}, {0, math.MaxInt64, 2}, {1, 0, 2}, {1, 1, 3}, {1, 7, 3}, {1, 8, 4}, {2, 0, 4}} {
		equal(t, fmt.Sprintf("before (%d, %d)", c.epoch, c.offset), last(c.epoch, c.offset), c.last)
	}
	must(t, s.PutHeads(t.Context(), []chat.Head{headOf(list[0])}))
	equal(t, "beyond the head", last(2, 0), int64(4))
}
