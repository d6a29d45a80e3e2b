package api_test

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/dozaar/dozaar/pkg/chat"
)

// FuzzBody sends a stranger's bytes to each operation that reads a body. Whatever they are, the answer
// is one of those documented, never a 500, and what is let through is valid by the vocabulary.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{"message":"x","attachmentUrls":["https://example.com/x"],"clientMessageId":"11111111-1111-4111-8111-111111111111"}`,
		`{"id":"11111111-1111-4111-8111-111111111111","key":"k","members":[{"userId":"11111111-1111-4111-8111-111111111111","username":"Bea","role":"buyer"}],"metadata":{"a":[1e3]}}`,
		`{"username":"Bea","role":"buyer"}`,
		`{"message":"\ud83d","message":1e999}`, "{\"message\":\"\xff\x00\"}", `[[[`, `null`, ``, `{"members":[null,{}],"metadata":null}`,
	} {
		f.Add([]byte(seed))
	}
	h := newHarness(f)
	c := h.conversation(buyer, seller)
	at := "/v1/conversations/" + c.ID.String()
	f.Fuzz(func(t *testing.T, body []byte) {
		h := h.at(t)
		*h.publisher = publisher{}
		h.log.Reset()
		for _, op := range []struct{ method, path string }{
			{"POST", "/v1/conversations"}, {"PUT", at + "/members/" + buyer.ID.String()}, {"POST", at + "/messages"},
		} {
			if answer := h.do(op.method, op.path, "service", string(body)); answer.status >= 500 {
				t.Errorf("%s %s answers %d", op.method, op.path, answer.status)
			}
		}
		for _, m := range h.publisher.messages {
			if err := (chat.Draft{Text: m.Text, AttachmentURLs: m.AttachmentURLs}).Validate(); err != nil {
				t.Errorf("published a message that is not valid: %v", err)
			}
		}
		for _, e := range h.publisher.events {
			if err := e.Conversation.Validate(); err != nil {
				t.Errorf("published a conversation that is not valid: %v", err)
			}
			if len(e.Conversation.Metadata) > 0 && json.Unmarshal(e.Conversation.Metadata, new(any)) != nil {
				t.Errorf("published metadata that nobody can read: %s", e.Conversation.Metadata)
			}
		}
	})
}

// FuzzQuery asks each operation that reads a query with a stranger's.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"limit=1&cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "beforeSeq=1&limit=100", "afterSeq=0", "userIds=a,,%ff", "limit=%zz", "token=x", "a;b", "userIds=11111111-1111-4111-8111-111111111111",
	} {
		f.Add(seed)
	}
	h := newHarness(f)
	c := h.conversation(buyer, seller)
	h.said(c, buyer, "one", "two")
	f.Fuzz(func(t *testing.T, query string) {
		for _, path := range []string{"/v1/conversations", "/v1/conversations/" + c.ID.String() + "/messages", "/v1/presence"} {
			r := httptest.NewRequest("GET", path, nil)
			r.URL.RawQuery = query
			r.Header.Set("Authorization", "Bearer buyer")
			w := httptest.NewRecorder()
			h.handler.ServeHTTP(w, r)
			if w.Code >= 500 || !utf8.Valid(w.Body.Bytes()) || !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s?%s answers %d %s", path, query, w.Code, w.Body)
			}
			if values, _ := url.ParseQuery(query); values.Has("token") && w.Code != 401 {
				t.Errorf("%s?%s answers %d", path, query, w.Code)
			}
		}
		if strings.Contains(h.log.String(), "panic") {
			t.Error(h.log)
		}
		h.log.Reset()
	})
}
