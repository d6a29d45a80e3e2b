package chat

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// reflected is what encoding/json makes of a message's fields by itself.
func reflected(t *rapid.T, m Message) string {
	urls := m.AttachmentURLs
	if urls == nil {
		urls = []string{}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(struct {
		ID              ID       `json:"id"`
		ConversationID  ID       `json:"conversationId"`
		Seq             int64    `json:"seq"`
		SenderID        ID       `json:"senderId"`
		Sender          User     `json:"sender"`
		Message         string   `json:"message"`
		AttachmentURLs  []string `json:"attachmentUrls"`
		ClientMessageID ID       `json:"clientMessageId,omitzero"`
		CreatedAt       string   `json:"createdAt"`
	}{m.ID, m.ConversationID, m.Seq, m.Sender.ID, m.Sender, m.Text, urls, m.ClientMessageID, m.CreatedAt.UTC().Format(TimeFormat)}); err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSuffix(out.Bytes(), []byte("\n")))
}

func TestMessagesJSONIsEncodingJSONs(t *testing.T) {
	odd := []string{"", "plain", `a "quote"`, `back\slash`, "/", "<b>&amp;</b>", "line\nbreak", "tab\t", "\x00", "\x1f", "\x7f", "é 你好 👩‍👩‍👧", "\u2028\u2029", "half a character: \xff\xc3", "\ufffd"}
	text := rapid.OneOf(rapid.SampledFrom(odd), rapid.String())
	id := rapid.Custom(func(t *rapid.T) (id ID) {
		copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes"))
		return id
	})
	rapid.Check(t, func(t *rapid.T) {
		m := Message{
			ID: id.Draw(t, "id"), ConversationID: id.Draw(t, "conversation"), Seq: rapid.Int64().Draw(t, "seq"),
			Sender: User{id.Draw(t, "sender"), text.Draw(t, "name")}, Text: text.Draw(t, "text"),
			AttachmentURLs: rapid.SliceOfN(text, 0, 3).Draw(t, "urls"),
			CreatedAt:      time.UnixMilli(rapid.Int64Range(0, 253_402_300_799_999).Draw(t, "at")),
		}
		if rapid.Bool().Draw(t, "client") {
			m.ClientMessageID = id.Draw(t, "client id")
		}
		if got, want := string(m.appendJSON([]byte("x"))), "x"+reflected(t, m); got != want {
			t.Fatalf("%s\nwant\n%s", got, want)
		}
		if _, err := json.Marshal(m); err != nil {
			t.Fatal(err)
		}
	})
}
