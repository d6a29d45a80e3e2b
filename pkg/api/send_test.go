package api_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dozaar/dozaar/pkg/chat"
)

type sent struct {
	MessageID, ConversationID, ClientMessageID chat.ID
	CreatedAt                                  string
}

func TestSend(t *testing.T) {
	h := newHarness(t)
	c := h.conversation(buyer, seller)
	at := "/v1/conversations/" + c.ID.String() + "/messages"
	for who, sender := range map[string]chat.User{"service": shop, "buyer": buyer} {
		h.publisher.messages = nil
		var got sent
		h.do("POST", at, who, `{"message":"Your parcel is on its way","attachmentUrls":["https://example.com/label.pdf"],"clientMessageId":null}`).into(t, http.StatusCreated, &got)
		if len(h.publisher.messages) != 1 {
			t.Fatalf("published %d messages", len(h.publisher.messages))
		}
		m := h.publisher.messages[0]
		if m.Sender != sender || m.ConversationID != c.ID || m.Text != "Your parcel is on its way" || len(m.AttachmentURLs) != 1 || m.Seq != 0 {
			t.Errorf("published %+v", m)
		}
		if h.publisher.trace != "" {
			t.Errorf("the trace %q came from nowhere", h.publisher.trace)
		}
		if got.MessageID != m.ID || m.ID.Version() != 7 || got.ConversationID != c.ID || got.ClientMessageID != (chat.ID{}) || got.CreatedAt != "2026-01-31T12:00:00.123Z" {
			t.Errorf("answered %+v", got)
		}
	}
}

// TestSendWhileKafkaIsAway: what Kafka has not taken is not acknowledged.
func TestSendWhileKafkaIsAway(t *testing.T) {
	h := newHarness(t)
	at := "/v1/conversations/" + h.conversation(buyer).ID.String() + "/messages"
	h.publisher.err = fmt.Errorf("kafka: %w", chat.ErrUnavailable)
	h.do("POST", at, "buyer", `{"message":"x"}`).problem(t, http.StatusServiceUnavailable, chat.CodeUnavailable, "")
}

// TestSendWhileRetriesCannotBeTold: a message goes on its way though the by-id table cannot be asked;
// whoever numbers the log drops it if it is a retry.
func TestSendWhileRetriesCannotBeTold(t *testing.T) {
	h := newHarness(t)
	at := "/v1/conversations/" + h.conversation(buyer).ID.String() + "/messages"
	h.store.storedByID = func() error { return errors.New("store: timeout") }
	h.do("POST", at, "buyer", `{"message":"x","clientMessageId":"`+stranger.ID.String()+`"}`).into(t, http.StatusCreated, new(sent))
	if len(h.publisher.messages) != 1 {
		t.Errorf("published %d messages", len(h.publisher.messages))
	}
}

// TestSendRefusesIDsFromTheFuture: a UUIDv7 from tomorrow could be taken for one never seen before.
func TestSendRefusesIDsFromTheFuture(t *testing.T) {
	h := newHarness(t)
	at := "/v1/conversations/" + h.conversation(buyer).ID.String() + "/messages"
	v7 := func(when time.Time) string {
		var id chat.ID
		ms := when.UnixMilli()
		for i := range 6 {
			id[i] = byte(ms >> (8 * (5 - i)))
		}
		id[6], id[8] = 0x70, 0x80
		if id.Version() != 7 || id.Variant() != uuid.RFC4122 {
			t.Fatal(id)
		}
		return `{"message":"x","clientMessageId":"` + id.String() + `"}`
	}
	h.do("POST", at, "buyer", v7(h.clock.Add(4*time.Minute))).into(t, http.StatusCreated, new(sent))
	h.do("POST", at, "buyer", v7(h.clock.Add(-1000*time.Hour))).into(t, http.StatusCreated, new(sent))
	h.do("POST", at, "buyer", v7(h.clock.Add(6*time.Minute))).problem(t, http.StatusBadRequest, chat.CodeInvalid, "clientMessageId")
}

// The trace of a request goes with what is published for it.
func TestSendCarriesTheTrace(t *testing.T) {
	h := newHarness(t)
	c := h.conversation(buyer, seller)
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for given, want := range map[string]string{trace: trace, "nonsense": ""} {
		body := `{"message":"hello"}`
		r := httptest.NewRequest("POST", "/v1/conversations/"+c.ID.String()+"/messages", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer buyer")
		r.Header.Set("traceparent", given)
		if got := h.send(r, body); got.status != http.StatusCreated || h.publisher.trace != want {
			t.Errorf("traceparent %q: answered %d, carried %q", given, got.status, h.publisher.trace)
		}
	}
}
