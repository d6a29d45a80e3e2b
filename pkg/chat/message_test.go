package chat_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/dozaar/dozaar/pkg/chat"
)

func TestDraftValidate(t *testing.T) {
	url := "https://example.com/image.jpg"
	tests := []struct {
		name  string
		draft chat.Draft
		field string // "" where the draft is valid
	}{
		{"text", chat.Draft{Text: "Hello, world!"}, ""},
		{"attachment alone", chat.Draft{AttachmentURLs: []string{url}}, ""},
		{"both", chat.Draft{Text: "see", AttachmentURLs: []string{url, "http://a.b/c?d=e"}}, ""},
		{"neither", chat.Draft{}, "message"},
		{"empty list", chat.Draft{AttachmentURLs: []string{}}, "message"},
		{"10,000 characters", chat.Draft{Text: strings.Repeat("a", 10_000)}, ""},
		{"10,000 four-byte characters", chat.Draft{Text: strings.Repeat("😀", 10_000)}, ""},
		{"10,001 characters", chat.Draft{Text: strings.Repeat("a", 10_001)}, "message"},
		{"10,001 four-byte characters", chat.Draft{Text: strings.Repeat("😀", 10_001)}, "message"},
		{"NUL is stored as sent", chat.Draft{Text: "a\x00b"}, ""},
		{"markup is text", chat.Draft{Text: "<script>alert(1)</script>\u202e"}, ""},
		{"invalid UTF-8", chat.Draft{Text: "a\xffb"}, "message"},
		{"10 attachments", chat.Draft{AttachmentURLs: repeat(url, 10)}, ""},
		{"11 attachments", chat.Draft{AttachmentURLs: repeat(url, 11)}, "attachmentUrls"},
		{"10,000 attachments", chat.Draft{AttachmentURLs: repeat(url, 10_000)}, "attachmentUrls"},
		{"javascript:", chat.Draft{AttachmentURLs: []string{url, "javascript:alert(1)"}}, "attachmentUrls[1]"},
		{"data:", chat.Draft{AttachmentURLs: []string{"data:text/html,x"}}, "attachmentUrls[0]"},
		{"file:", chat.Draft{AttachmentURLs: []string{"file:///etc/passwd"}}, "attachmentUrls[0]"},
		{"no scheme", chat.Draft{AttachmentURLs: []string{"//example.com/x"}}, "attachmentUrls[0]"},
		{"no host", chat.Draft{AttachmentURLs: []string{"https:///x"}}, "attachmentUrls[0]"},
		{"not a URL", chat.Draft{AttachmentURLs: []string{"https://a b/\x7f"}}, "attachmentUrls[0]"},
		{"empty URL", chat.Draft{AttachmentURLs: []string{""}}, "attachmentUrls[0]"},
		{"2,048 characters", chat.Draft{AttachmentURLs: []string{"https://a.b/" + strings.Repeat("x", 2_036)}}, ""},
		{"2,049 characters", chat.Draft{AttachmentURLs: []string{"https://a.b/" + strings.Repeat("x", 2_037)}}, "attachmentUrls[0]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantField(t, tt.draft.Validate(), tt.field) })
	}
}

func wantField(t *testing.T, err error, field string) {
	t.Helper()
	if field == "" {
		if err != nil {
			t.Fatalf("valid, but got %v", err)
		}
		return
	}
	if err == nil {
		t.Fatalf("accepted; want an error about %s", field)
	}
	if e := chat.AsError(err); e.Code != chat.CodeInvalid || e.Field != field {
		t.Fatalf("got %s about %q, want invalid about %q", e.Code, e.Field, field)
	}
}

func repeat(s string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = s
	}
	return list
}

func TestPreviewNeverSplitsACharacter(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "",
		"short":                  "short",
		strings.Repeat("é", 100): strings.Repeat("é", 100),
		strings.Repeat("😀", 101): strings.Repeat("😀", 100),
		// What a reader sees as one is in it or is not: a family of seven code points, an accent by itself, a flag.
		strings.Repeat("a", 95) + "👨‍👩‍👧‍👦b": strings.Repeat("a", 95),
		strings.Repeat("a", 93) + "👨‍👩‍👧‍👦b": strings.Repeat("a", 93) + "👨‍👩‍👧‍👦",
		strings.Repeat("a", 99) + "e\u0301":  strings.Repeat("a", 99),
		strings.Repeat("a", 99) + "🇩🇪":       strings.Repeat("a", 99),
		"e" + strings.Repeat("\u0301", 200):  "e" + strings.Repeat("\u0301", 99),
	} {
		if got := (chat.Message{Text: text}).Preview(); got != want {
			t.Errorf("preview of %q is %q", text, got)
		}
	}
}

func TestMessageJSON(t *testing.T) {
	user := chat.User{ID: mustID(t, "11111111-1111-4111-8111-111111111111"), Username: "Bea"}
	m := chat.Message{
		ID:             mustID(t, "0198f000-0000-7000-8000-000000000001"),
		ConversationID: mustID(t, "123e4567-e89b-12d3-a456-426614174000"),
		Seq:            7, Sender: user, Text: "hi",
		CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 60_000_000, time.FixedZone("CET", 3600)),
	}
	want := `{"id":"0198f000-0000-7000-8000-000000000001","conversationId":"123e4567-e89b-12d3-a456-426614174000","seq":7,` +
		`"senderId":"11111111-1111-4111-8111-111111111111","sender":{"id":"11111111-1111-4111-8111-111111111111","username":"Bea"},` +
		`"message":"hi","attachmentUrls":[],"createdAt":"2026-01-02T02:04:05.060Z"}`
	got, err := json.Marshal(m)
	if err != nil || string(got) != want {
		t.Errorf("got  %s (%v)\nwant %s", got, err, want)
	}
}

func TestRetriesHaveOneID(t *testing.T) {
	conversation, client := chat.NewID(), chat.NewID()
	bea, sam := chat.User{ID: chat.NewID()}, chat.User{ID: chat.NewID()}
	first := chat.Draft{Text: "a", ClientMessageID: client}.New(conversation, bea, time.Now())
	again := chat.Draft{Text: "a", ClientMessageID: client}.New(conversation, bea, time.Now().Add(time.Hour))
	other := chat.Draft{Text: "b", ClientMessageID: client}.New(conversation, bea, time.Now())
	if first.ID != again.ID || first.BodyHash() != again.BodyHash() {
		t.Error("a retry is another message")
	}
	if first.ID != other.ID || first.BodyHash() == other.BodyHash() {
		t.Error("another body under the same client id is not told apart")
	}
	if first.ID.Version() != 8 {
		t.Errorf("a derived id has version %d, want 8", first.ID.Version())
	}
	if (chat.Draft{Text: "a", ClientMessageID: client}).New(conversation, sam, time.Now()).ID == first.ID {
		t.Error("two senders share an id")
	}
	if id := (chat.Draft{Text: "a"}).New(conversation, bea, time.Now()).ID; id.Version() != 7 {
		t.Errorf("an id without a client id has version %d, want 7", id.Version())
	}
}

func TestBodyHashTellsTextFromAttachments(t *testing.T) {
	a := chat.Message{Text: "ab", AttachmentURLs: []string{"c"}}
	b := chat.Message{Text: "a", AttachmentURLs: []string{"bc"}}
	c := chat.Message{Text: "ab", AttachmentURLs: []string{"c", ""}}
	if a.BodyHash() == b.BodyHash() || a.BodyHash() == c.BodyHash() {
		t.Error("different bodies have one hash")
	}
}

func TestParseID(t *testing.T) {
	for s, want := range map[string]bool{
		"123e4567-e89b-12d3-a456-426614174000":          true,
		"123E4567-E89B-12D3-A456-426614174000":          true,
		"00000000-0000-0000-0000-000000000000":          false,
		"123e4567e89b12d3a456426614174000":              false,
		"{123e4567-e89b-12d3-a456-426614174000}":        false,
		"urn:uuid:123e4567-e89b-12d3-a456-426614174000": false,
		"123e4567-e89b-12d3-a456-42661417400g":          false,
		"your-conversation-id":                          false,
		"":                                              false,
	} {
		if _, ok := chat.ParseID(s); ok != want {
			t.Errorf("ParseID(%q) is %v", s, ok)
		}
	}
}

func mustID(t *testing.T, s string) chat.ID {
	t.Helper()
	id, ok := chat.ParseID(s)
	if !ok {
		t.Fatalf("%q is no id", s)
	}
	return id
}

func FuzzDraft(f *testing.F) {
	f.Add("Hello", "https://example.com/a.jpg")
	f.Add("", "javascript:alert(1)")
	f.Add(strings.Repeat("😀", 101), "")
	f.Add("\xff\x00", "http://[::1]:1/")
	f.Fuzz(func(t *testing.T, text, url string) {
		d := chat.Draft{Text: text}
		if url != "" {
			d.AttachmentURLs = []string{url}
		}
		if err := d.Validate(); err != nil {
			if e := chat.AsError(err); e.Code != chat.CodeInvalid || e.Field == "" {
				t.Fatalf("a refusal does not name the field: %v", err)
			}
			return
		}
		m := d.New(chat.NewID(), chat.User{ID: chat.NewID(), Username: "x"}, time.Now())
		if p := m.Preview(); !strings.HasPrefix(text, p) || !utf8.ValidString(p) || utf8.RuneCountInString(p) > chat.PreviewChars {
			t.Fatalf("bad preview %q", p)
		}
		raw, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var back struct {
			Message        string
			AttachmentURLs []string `json:"attachmentUrls"`
		}
		if err := json.Unmarshal(raw, &back); err != nil || back.Message != text {
			t.Fatalf("text changed in JSON: %q, %v", back.Message, err)
		}
	})
}
