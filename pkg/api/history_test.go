package api_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/dozaar/dozaar/pkg/chat"
)

type messagesPage struct {
	Messages []struct {
		ID, ConversationID, SenderID, ClientMessageID chat.ID
		Seq                                           int64
		Sender                                        chat.User
		Message                                       string
		AttachmentURLs                                []string
		CreatedAt                                     string
	}
	Next *int64
}

func (p messagesPage) String() string {
	s := ""
	for _, m := range p.Messages {
		s += fmt.Sprint(m.Seq, " ")
	}
	if p.Next == nil {
		return s + "end"
	}
	return s + fmt.Sprint("next ", *p.Next)
}

func TestHistory(t *testing.T) {
	h := newHarness(t)
	c := h.conversation(buyer, seller)
	h.said(c, buyer, "1", "2", "3", "4", "5", "6", "7")
	for query, want := range map[string]string{
		"":                        "1 2 3 4 5 6 7 end",
		"?limit=3":                "5 6 7 next 5",
		"?limit=3&beforeSeq=5":    "2 3 4 next 2",
		"?limit=3&beforeSeq=2":    "1 end",
		"?limit=3&beforeSeq=4":    "1 2 3 end",
		"?limit=3&beforeSeq=1":    "end",
		"?limit=3&beforeSeq=1000": "5 6 7 next 5",
		"?limit=3&afterSeq=0":     "1 2 3 next 3",
		"?limit=3&afterSeq=3":     "4 5 6 next 6",
		"?limit=3&afterSeq=4":     "5 6 7 end",
		"?limit=3&afterSeq=6":     "7 end",
		"?limit=3&afterSeq=7":     "end",
		"?limit=7&afterSeq=0":     "1 2 3 4 5 6 7 end",
		"?afterSeq=1000":          "end",
		"?limit=100&unknown=1":    "1 2 3 4 5 6 7 end",
	} {
		for _, who := range []string{"buyer", "service"} {
			var page messagesPage
			h.do("GET", "/v1/conversations/"+c.ID.String()+"/messages"+query, who, "").into(t, http.StatusOK, &page)
			if page.String() != want {
				t.Errorf("%q gives %s, want %s", query, page, want)
			}
		}
	}
}

// TestHistoryDefaultAndGreatestPage: 50 where nothing is said, 100 at most.
func TestHistoryDefaultAndGreatestPage(t *testing.T) {
	h := newHarness(t)
	c := h.conversation(buyer)
	for range 120 {
		h.said(c, buyer, "x")
	}
	for query, want := range map[string]int{"": 50, "?limit=100": 100} {
		var page messagesPage
		h.do("GET", "/v1/conversations/"+c.ID.String()+"/messages"+query, "buyer", "").into(t, http.StatusOK, &page)
		if len(page.Messages) != want {
			t.Errorf("%q gives %d messages, want %d", query, len(page.Messages), want)
		}
	}
}

// TestHistoryObject: a message has the fields of `new:message`.
func TestHistoryObject(t *testing.T) {
	h := newHarness(t)
	c := h.conversation(buyer)
	draft := chat.Draft{Text: "a\x00b <i>", AttachmentURLs: []string{"https://example.com/a.jpg"}, ClientMessageID: chat.NewID()}
	m := draft.New(c.ID, buyer, *h.clock)
	h.put(m)
	var page messagesPage
	h.do("GET", "/v1/conversations/"+c.ID.String()+"/messages", "buyer", "").into(t, http.StatusOK, &page)
	got := page.Messages[0]
	if got.ID != m.ID || got.ConversationID != c.ID || got.Seq != 1 || got.SenderID != buyer.ID || got.Sender != buyer ||
		got.Message != draft.Text || len(got.AttachmentURLs) != 1 || got.AttachmentURLs[0] != draft.AttachmentURLs[0] ||
		got.ClientMessageID != draft.ClientMessageID || got.CreatedAt != "2026-01-31T12:00:00.123Z" {
		t.Errorf("got %+v", got)
	}
}

func TestHistoryRefuses(t *testing.T) {
	h := newHarness(t)
	c := h.conversation(buyer)
	for query, field := range map[string]string{
		"afterSeq=1&beforeSeq=5":        "beforeSeq",
		"afterSeq=-1":                   "afterSeq",
		"afterSeq=x":                    "afterSeq",
		"afterSeq=1.0":                  "afterSeq",
		"beforeSeq=0":                   "beforeSeq",
		"beforeSeq=":                    "beforeSeq",
		"beforeSeq=9223372036854775808": "beforeSeq",
		"limit=101":                     "limit",
	} {
		h.do("GET", "/v1/conversations/"+c.ID.String()+"/messages?"+query, "buyer", "").problem(t, http.StatusBadRequest, chat.CodeInvalid, field)
	}
	// What is wrong with a question is told to those who may not have the answer, too, and no more.
	h.do("GET", "/v1/conversations/"+c.ID.String()+"/messages?limit=0", "stranger", "").problem(t, http.StatusBadRequest, chat.CodeInvalid, "limit")
}
