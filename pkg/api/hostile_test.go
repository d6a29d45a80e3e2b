package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/dozaar/dozaar/pkg/chat"
)

// TestSomebodyElsesConversation is row 18: not yours and not there answer alike, byte for byte.
func TestSomebodyElsesConversation(t *testing.T) {
	h := newHarness(t)
	c := h.conversation(buyer, seller)
	h.said(c, buyer, "private")
	for _, ask := range []struct{ method, path, body string }{
		{"GET", "", ""},
		{"GET", "/messages", ""},
		{"GET", "/messages?afterSeq=0", ""},
		{"POST", "/messages", `{"message":"let me in"}`},
		{"POST", "/messages", `{"message":"let me in","clientMessageId":"` + shop.ID.String() + `"}`},
	} {
		var answers []response
		for _, id := range []string{c.ID.String(), chat.NewID().String(), "no-uuid", "..%2f", "%00"} {
			answers = append(answers, h.do(ask.method, "/v1/conversations/"+id+ask.path, "stranger", ask.body))
		}
		for _, other := range answers {
			other.problem(t, http.StatusNotFound, chat.CodeNotFound, "")
			if other.body != answers[0].body && !strings.Contains(other.body, "no such path") {
				t.Errorf("%s %s tells what is there: %s, and %s", ask.method, ask.path, answers[0].body, other.body)
			}
		}
		if answers[1].body != answers[0].body || answers[2].body != answers[0].body || len(answers[1].header) != len(answers[0].header) {
			t.Errorf("%s %s tells what is there: %v", ask.method, ask.path, answers)
		}
	}
	if len(h.publisher.messages) != 0 {
		t.Errorf("published %+v", h.publisher.messages)
	}
	var page inboxPage
	h.do("GET", "/v1/conversations", "stranger", "").into(t, http.StatusOK, &page)
	if len(page.Conversations) != 0 {
		t.Errorf("a stranger's inbox has %+v", page)
	}
}

// TestRemovedMember is row 18, too: somebody taken out sees no more than somebody never in.
func TestRemovedMember(t *testing.T) {
	h := newHarness(t)
	c := h.conversation(buyer, seller)
	h.said(c, seller, "private")
	at := "/v1/conversations/" + c.ID.String()
	h.do("DELETE", at+"/members/"+seller.ID.String(), "service", "")
	h.do("GET", at+"/messages", "seller", "").problem(t, http.StatusNotFound, chat.CodeNotFound, "")
	h.do("POST", at+"/messages", "seller", `{"message":"x"}`).problem(t, http.StatusNotFound, chat.CodeNotFound, "")
}

// TestSenderIsTheTokens is row 18: who writes is in the token and nowhere else.
func TestSenderIsTheTokens(t *testing.T) {
	h := newHarness(t)
	c := h.conversation(buyer, seller)
	body := `{"message":"x","senderId":"` + seller.ID.String() + `","sender":{"id":"` + seller.ID.String() + `","username":"Sol"},
		"id":"` + shop.ID.String() + `","seq":7,"createdAt":"1970-01-01T00:00:00.000Z","conversationId":"` + shop.ID.String() + `"}`
	var got sent
	h.do("POST", "/v1/conversations/"+c.ID.String()+"/messages", "buyer", body).into(t, http.StatusCreated, &got)
	m := h.publisher.messages[0]
	if m.Sender != buyer || m.ID == shop.ID || m.Seq != 0 || m.ConversationID != c.ID || !m.CreatedAt.Equal(h.clock.Truncate(1e6)) {
		t.Errorf("published %+v", m)
	}
}

// TestTextIsInert is row 20: markup and overrides are stored as sent and answered as JSON that no
// browser takes for a page; addresses other than http and https are refused.
func TestTextIsInert(t *testing.T) {
	h := newHarness(t)
	c := h.conversation(buyer)
	at := "/v1/conversations/" + c.ID.String() + "/messages"
	const nasty = "<script>alert(1)</script> \u202etxt.exe\u202c \u2028 &amp; ]]>"
	h.do("POST", at, "buyer", `{"message":"<script>alert(1)</script> \u202etxt.exe\u202c \u2028 &amp; ]]>"}`).into(t, http.StatusCreated, new(sent))
	h.deliver()
	answer := h.do("GET", at, "buyer", "")
	var page messagesPage
	answer.into(t, http.StatusOK, &page)
	if page.Messages[0].Message != nasty {
		t.Errorf("stored %q", page.Messages[0].Message)
	}
	if answer.header.Get("Content-Type") != "application/json" || answer.header.Get("X-Content-Type-Options") != "nosniff" || strings.Contains(answer.body, "<") {
		t.Errorf("%v %s", answer.header, answer.body)
	}
	for _, url := range []string{
		"javascript:alert(1)", "JavaScript:alert(1)", " javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "ftp://example.com/x",
		"//example.com/x", "/x", "x", "", "http://", "https:example.com", "http:///x", "ht\ttp://example.com", "blob:https://example.com/x",
	} {
		h.do("POST", at, "buyer", `{"message":"see","attachmentUrls":["https://example.com/fine",`+quote(url)+`]}`).
			problem(t, http.StatusBadRequest, chat.CodeInvalid, "attachmentUrls[1]")
	}
	// An address that only the server could reach is text to it: it is not fetched.
	h.do("POST", at, "buyer", `{"attachmentUrls":["http://169.254.169.254/latest/meta-data"]}`).into(t, http.StatusCreated, new(sent))
}

// TestOddMessages is row 21: what is odd but allowed is stored as sent; what is not names its field.
func TestOddMessages(t *testing.T) {
	h := newHarness(t)
	c := h.conversation(buyer)
	at := "/v1/conversations/" + c.ID.String() + "/messages"
	for name, text := range map[string]string{
		"NUL":                            "a\x00b",
		"10,000 letters":                 strings.Repeat("x", 10_000),
		"10,000 four-byte characters":    strings.Repeat("😀", 10_000),
		"only blanks":                    " \n\t",
		"an emoji of several characters": "👩‍👩‍👧‍👦",
	} {
		t.Run(name, func(t *testing.T) {
			h.publisher.messages = nil
			h.at(t).do("POST", at, "buyer", `{"message":`+quote(text)+`}`).into(t, http.StatusCreated, new(sent))
			if got := h.publisher.messages[0].Text; got != text {
				t.Errorf("published %d bytes, %d were sent", len(got), len(text))
			}
		})
	}
	h.publisher.messages = nil
	for name, c := range map[string]struct{ body, field string }{
		"10,001 letters":               {`{"message":"` + strings.Repeat("x", 10_001) + `"}`, "message"},
		"10,001 four-byte characters":  {`{"message":"` + strings.Repeat("😀", 10_001) + `"}`, "message"},
		"10,001 escapes":               {`{"message":"` + strings.Repeat(`\u0000`, 10_001) + `"}`, "message"},
		"nothing":                      {`{}`, "message"},
		"empty":                        {`{"message":"","attachmentUrls":[]}`, "message"},
		"nulls":                        {`{"message":null,"attachmentUrls":null}`, "message"},
		"10,000 attachments":           {`{"attachmentUrls":[` + strings.Repeat(`"https://example.com/x",`, 9_999) + `"https://example.com/x"]}`, "attachmentUrls"},
		"11 attachments":               {`{"attachmentUrls":[` + strings.Repeat(`"https://example.com/x",`, 10) + `"https://example.com/x"]}`, "attachmentUrls"},
		"a long attachment":            {`{"attachmentUrls":["https://example.com/` + strings.Repeat("x", 2048) + `"]}`, "attachmentUrls[0]"},
		"a list":                       {`[{"message":"x"}]`, "body"},
		"a string":                     {`"message"`, "body"},
		"a number":                     {`1`, "body"},
		"null":                         {`null`, "body"},
		"not JSON":                     {`message=x`, "body"},
		"half":                         {`{"message":"x"`, "body"},
		"two":                          {`{"message":"x"}{"message":"y"}`, "body"},
		"message is a number":          {`{"message":7}`, "message"},
		"message is an object":         {`{"message":{"$gt":""}}`, "message"},
		"message is a list":            {`{"message":["x"]}`, "message"},
		"message is true":              {`{"message":true}`, "message"},
		"message twice":                {`{"message":"x","message":"y"}`, "message"},
		"attachments are a string":     {`{"attachmentUrls":"https://example.com/x"}`, "attachmentUrls"},
		"an attachment is a number":    {`{"attachmentUrls":[7]}`, "attachmentUrls[0]"},
		"an attachment is null":        {`{"attachmentUrls":[null]}`, "attachmentUrls[0]"},
		"client id is a number":        {`{"message":"x","clientMessageId":7}`, "clientMessageId"},
		"client id is no UUID":         {`{"message":"x","clientMessageId":"7"}`, "clientMessageId"},
		"client id is nil":             {`{"message":"x","clientMessageId":"00000000-0000-0000-0000-000000000000"}`, "clientMessageId"},
		"invalid UTF-8":                {"{\"message\":\"a\xffb\"}", "message"},
		"a lone surrogate":             {`{"message":"\ud83d"}`, "message"},
		"invalid UTF-8 in a URL":       {"{\"attachmentUrls\":[\"https://example.com/\xff\"]}", "attachmentUrls[0]"},
		"a lone surrogate, unasked of": {`{"message":"x","mood":"\ude00"}`, "mood"},
		"100,000 deep":                 {`{"message":"x","deep":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			answer := h.at(t).do("POST", at, "buyer", c.body)
			if c.field != "" {
				answer.problem(t, http.StatusBadRequest, chat.CodeInvalid, c.field)
			} else if answer.status != http.StatusBadRequest || len(answer.body) > 1000 {
				t.Errorf("answered %d with %d bytes", answer.status, len(answer.body))
			}
		})
	}
	if len(h.publisher.messages) != 0 {
		t.Errorf("published %d messages", len(h.publisher.messages))
	}
	h.do("POST", at, "buyer", `{"message":"`+strings.Repeat("x", 1<<20)+`"}`).problem(t, http.StatusRequestEntityTooLarge, chat.CodeTooLarge, "body")
}

// TestRetries is row 23: the same client message id is the same message, with the same answer, before
// and after it is stored; another body is refused once the first is known.
func TestRetries(t *testing.T) {
	h := newHarness(t)
	c := h.conversation(buyer, seller)
	at := "/v1/conversations/" + c.ID.String() + "/messages"
	body := `{"message":"x","attachmentUrls":["https://example.com/1"],"clientMessageId":"` + stranger.ID.String() + `"}`

	first := h.do("POST", at, "buyer", body)
	var got sent
	first.into(t, http.StatusCreated, &got)
	if got.MessageID != chat.MessageID(c.ID, buyer.ID, stranger.ID) || got.ClientMessageID != stranger.ID {
		t.Errorf("answered %+v", got)
	}
	early := h.do("POST", at, "buyer", body)
	if early.body != first.body || len(h.publisher.messages) != 2 || h.publisher.messages[0].ID != h.publisher.messages[1].ID {
		t.Errorf("a retry before it is stored answers %s, and published %+v", early.body, h.publisher.messages)
	}

	h.publisher.messages = h.publisher.messages[:1]
	h.deliver()
	*h.clock = h.clock.AddDate(0, 3, 0)
	if late := h.do("POST", at, "buyer", body); late.body != first.body || late.status != first.status {
		t.Errorf("a retry months later answers %d %s, not %s", late.status, late.body, first.body)
	}
	for _, other := range []string{
		strings.Replace(body, `"x"`, `"y"`, 1),
		strings.Replace(body, "/1", "/2", 1),
		strings.Replace(body, `["https://example.com/1"]`, `[]`, 1),
	} {
		h.do("POST", at, "buyer", other).problem(t, http.StatusConflict, chat.CodeConflict, "")
	}
	if len(h.publisher.messages) != 0 {
		t.Errorf("published %+v", h.publisher.messages)
	}
	// Client ids are each sender's own: another may use the same one for something else.
	h.do("POST", at, "seller", strings.Replace(body, `"x"`, `"y"`, 1)).into(t, http.StatusCreated, new(sent))
}
