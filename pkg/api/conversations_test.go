package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/dozaar/dozaar/pkg/chat"
)

type conversation struct {
	ID        chat.ID
	Key       string
	Members   []chat.Member
	Metadata  json.RawMessage
	LastSeq   int64
	CreatedAt string
}

func members(users ...chat.User) string {
	var list []string
	for _, u := range users {
		list = append(list, fmt.Sprintf(`{"userId":%q,"username":%q}`, u.ID, u.Username))
	}
	return "[" + strings.Join(list, ",") + "]"
}

func TestCreateByKey(t *testing.T) {
	h := newHarness(t)
	body := `{"key":"listing 7, Bea","members":` + members(buyer, seller) + `,"metadata":{ "listing": 7 },"extra":"ignored"}`
	var first conversation
	h.do("POST", "/v1/conversations", "service", body).into(t, http.StatusCreated, &first)
	if first.ID != chat.ConversationIDFromKey("listing 7, Bea") || first.Key != "listing 7, Bea" || len(first.Members) != 2 ||
		string(first.Metadata) != `{"listing":7}` || first.LastSeq != 0 || first.CreatedAt != "2026-01-31T12:00:00.123Z" {
		t.Errorf("created %+v", first)
	}

	stored, err := h.store.Memory.Conversation(t.Context(), first.ID)
	if err != nil || stored.Revision != 1 || string(stored.Metadata) != `{"listing":7}` {
		t.Errorf("stored %+v, %v", stored, err)
	}
	h.said(stored, buyer, "hello")

	var again conversation
	h.do("POST", "/v1/conversations", "service", `{"key":"listing 7, Bea","members":`+members(stranger)+`}`).into(t, http.StatusOK, &again)
	if again.ID != first.ID || len(again.Members) != 2 || again.LastSeq != 1 || again.CreatedAt != first.CreatedAt {
		t.Errorf("the second answer is %+v, not the first conversation", again)
	}
	// Both told the world, and of the same thing.
	if len(h.publisher.events) != 2 {
		t.Fatalf("%d events", len(h.publisher.events))
	}
	for _, e := range h.publisher.events {
		if e.Change != chat.Created || e.Conversation.ID != first.ID || len(e.Conversation.Members) != 2 || !e.At.Equal(stored.CreatedAt) || e.UserID != (chat.ID{}) {
			t.Errorf("published %+v", e)
		}
	}
}

func TestCreateByID(t *testing.T) {
	h := newHarness(t)
	body := `{"id":"` + stranger.ID.String() + `","key":null,"metadata":null,"members":` + members(buyer) + `}`
	var first, again conversation
	h.do("POST", "/v1/conversations", "service", body).into(t, http.StatusCreated, &first)
	if first.ID != stranger.ID || string(first.Metadata) != "{}" {
		t.Errorf("created %+v", first)
	}
	h.do("POST", "/v1/conversations", "service", body).into(t, http.StatusOK, &again)
	if again.ID != first.ID {
		t.Errorf("the second answer is %+v", again)
	}
	keyed := strings.Replace(body, `"key":null`, `"key":"k"`, 1)
	h.do("POST", "/v1/conversations", "service", keyed).problem(t, http.StatusConflict, chat.CodeConflict, "")
}

func TestCreateWithNeither(t *testing.T) {
	h := newHarness(t)
	var a, b conversation
	h.do("POST", "/v1/conversations", "service", `{"members":`+members(buyer)+`}`).into(t, http.StatusCreated, &a)
	h.do("POST", "/v1/conversations", "service", `{"members":`+members(buyer)+`}`).into(t, http.StatusCreated, &b)
	if a.ID == b.ID || a.ID.Version() != 7 {
		t.Errorf("ids %s, %s", a.ID, b.ID)
	}
}

// TestCreateWhileKafkaIsAway: nothing is acknowledged that was not published, and asking again heals it.
func TestCreateWhileKafkaIsAway(t *testing.T) {
	h := newHarness(t)
	body := `{"key":"k","members":` + members(buyer) + `}`
	h.publisher.err = fmt.Errorf("kafka: no broker: %w", chat.ErrUnavailable)
	answer := h.do("POST", "/v1/conversations", "service", body)
	answer.problem(t, http.StatusServiceUnavailable, chat.CodeUnavailable, "")
	if answer.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if strings.Contains(answer.body, "kafka") || strings.Contains(answer.body, "broker") {
		t.Errorf("the client was told of our insides: %s", answer.body)
	}
	h.publisher.err = nil
	h.do("POST", "/v1/conversations", "service", body).into(t, http.StatusOK, new(conversation))
	if len(h.publisher.events) != 1 || h.publisher.events[0].Change != chat.Created {
		t.Errorf("published %+v", h.publisher.events)
	}
}

func TestCreateRefuses(t *testing.T) {
	h := newHarness(t)
	member := func(fields string) string {
		return `{"members":[{"userId":"` + buyer.ID.String() + `",` + fields + `}]}`
	}
	deep := strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33)
	for body, field := range map[string]string{
		``:                                      "body",
		`[]`:                                    "body",
		`{"members":` + members(buyer) + `} {}`: "body",
		`{"members":[]}`:                        "members",
		`{"members":{}}`:                        "members",
		`{"members":["Bea"]}`:                   "members[0]",
		`{"members":` + members(buyer, buyer) + `}`:                                                 "members[1].userId",
		`{"members":[{"userId":"7","username":"x"}]}`:                                               "members[0].userId",
		`{"members":[{"username":"x"}]}`:                                                            "members[0].userId",
		member(`"username":7`):                                                                      "members[0].username",
		member(`"username":""`):                                                                     "members[0].username",
		member(`"username":"` + strings.Repeat("é", 129) + `"`):                                     "members[0].username",
		member(`"username":"\ud800"`):                                                               "members[0].username",
		member("\"username\":\"\xff\""):                                                             "members[0].username",
		member(`"username":"x","role":["buyer"]`):                                                   "members[0].role",
		member(`"username":"x","username":"y"`):                                                     "members[0].username",
		`{"id":"listing","members":` + members(buyer) + `}`:                                         "id",
		`{"id":"00000000-0000-0000-0000-000000000000","members":[]}`:                                "id",
		`{"key":"` + strings.Repeat("k", 257) + `","members":` + members(buyer) + `}`:               "key",
		`{"metadata":[],"members":` + members(buyer) + `}`:                                          "metadata",
		`{"metadata":"x","members":` + members(buyer) + `}`:                                         "metadata",
		`{"metadata":{"a":1e999},"members":` + members(buyer) + `}`:                                 "metadata",
		`{"metadata":` + deep + `,"members":` + members(buyer) + `}`:                                "metadata",
		`{"metadata":{"a":"` + strings.Repeat("x", 16<<10) + `"},"members":` + members(buyer) + `}`: "metadata",
		`{"metadata":{"a":1,"a":2},"members":` + members(buyer) + `}`:                               "metadata.a",
	} {
		if len(body) > 100 {
			t.Run(body[:100], func(t *testing.T) { refuses(t, h, body, field) })
			continue
		}
		t.Run(body, func(t *testing.T) { refuses(t, h, body, field) })
	}
	if len(h.publisher.events) != 0 {
		t.Errorf("published %+v", h.publisher.events)
	}
}

func refuses(t *testing.T, h *harness, body, field string) {
	h.at(t).do("POST", "/v1/conversations", "service", body).problem(t, http.StatusBadRequest, chat.CodeInvalid, field)
}

func TestGetConversation(t *testing.T) {
	h := newHarness(t)
	c := h.conversation(buyer, seller)
	h.said(c, buyer, "one", "two")
	for _, who := range []string{"buyer", "seller", "service"} {
		var got conversation
		h.do("GET", "/v1/conversations/"+c.ID.String(), who, "").into(t, http.StatusOK, &got)
		if got.ID != c.ID || got.LastSeq != 2 || len(got.Members) != 2 {
			t.Errorf("%s got %+v", who, got)
		}
	}
	// An id is an id in capitals, too.
	h.do("GET", "/v1/conversations/"+strings.ToUpper(c.ID.String()), "buyer", "").into(t, http.StatusOK, new(conversation))
}
