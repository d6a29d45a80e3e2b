package api_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

type inboxPage struct {
	Conversations []struct {
		conversation
		LastMessage *struct {
			ID      chat.ID
			Seq     int64
			Message string
		}
		ReadSeq, Unread int64
		ActivityAt      string
	}
	Next *string
}

func TestInbox(t *testing.T) {
	h := newHarness(t)
	quiet := h.conversation(buyer, seller)
	h.conversation(seller, stranger) // not the buyer's
	*h.clock = h.clock.Add(time.Minute)
	busy := h.conversation(buyer)
	h.said(busy, seller, "one", "two", "three")
	if err := h.store.PutReadMarks(t.Context(), []chat.ReadMark{{ConversationID: busy.ID, UserID: buyer.ID, Seq: 1}}); err != nil {
		t.Fatal(err)
	}
	var page inboxPage
	h.do("GET", "/v1/conversations", "buyer", "").into(t, http.StatusOK, &page)
	if len(page.Conversations) != 2 || page.Next != nil {
		t.Fatalf("the page is %+v", page)
	}
	top, below := page.Conversations[0], page.Conversations[1]
	if top.ID != busy.ID || top.LastSeq != 3 || top.ReadSeq != 1 || top.Unread != 2 || top.ActivityAt != "2026-01-31T12:01:03.123Z" ||
		top.LastMessage == nil || top.LastMessage.Seq != 3 || top.LastMessage.Message != "three" {
		t.Errorf("on top: %+v", top)
	}
	if below.ID != quiet.ID || below.LastSeq != 0 || below.Unread != 0 || below.LastMessage != nil || below.ActivityAt != below.CreatedAt {
		t.Errorf("below: %+v", below)
	}
	h.do("GET", "/v1/conversations", "service", "").into(t, http.StatusOK, &page)
	if len(page.Conversations) != 0 || page.Next != nil {
		t.Errorf("the marketplace's own inbox: %+v", page)
	}
}

// TestInboxPages: however small the pages, they add up to the whole, once each, equal times included.
func TestInboxPages(t *testing.T) {
	h := newHarness(t)
	var want []chat.ID
	for i := range 23 {
		if i%3 == 0 {
			*h.clock = h.clock.Add(time.Second)
		}
		want = append(want, h.conversation(buyer).ID)
	}
	for _, size := range []string{"1", "2", "7", "22", "23", "100"} {
		var got []chat.ID
		for cursor, pages := "", 0; ; pages++ {
			var page inboxPage
			h.do("GET", "/v1/conversations?limit="+size+cursor, "buyer", "").into(t, http.StatusOK, &page)
			for _, c := range page.Conversations {
				got = append(got, c.ID)
			}
			if page.Next == nil {
				break
			}
			if cursor = "&cursor=" + *page.Next; pages > len(want) {
				t.Fatal("there is no end to the pages")
			}
		}
		seen := slices.Clone(got)
		slices.SortFunc(seen, func(a, b chat.ID) int { return slices.Compare(a[:], b[:]) })
		if len(got) != len(want) || len(slices.Compact(seen)) != len(want) {
			t.Errorf("in pages of %s: %d conversations, %d different ones, of %d", size, len(got), len(slices.Compact(seen)), len(want))
		}
	}
}

func TestInboxRefuses(t *testing.T) {
	h := newHarness(t)
	for query, field := range map[string]string{
		"limit=0":                     "limit",
		"limit=101":                   "limit",
		"limit=":                      "limit",
		"limit=1e1":                   "limit",
		"limit=99999999999999999999":  "limit",
		"limit=1&limit=2":             "limit",
		"cursor=":                     "cursor",
		"cursor=AAAA":                 "cursor",
		"cursor=%00":                  "cursor",
		"cursor=" + buyer.ID.String(): "cursor",
		"limit=%zz":                   "query",
		"limit=1;cursor=2":            "query",
	} {
		h.do("GET", "/v1/conversations?"+query, "buyer", "").problem(t, http.StatusBadRequest, chat.CodeInvalid, field)
	}
}
