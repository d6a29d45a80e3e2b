package api_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/dozaar/dozaar/pkg/chat"
)

func TestMembers(t *testing.T) {
	h := newHarness(t)
	c := h.conversation(buyer)
	at := "/v1/conversations/" + c.ID.String() + "/members/" + seller.ID.String()

	for _, put := range []struct {
		body string
		want chat.Member
	}{
		{`{"username":"Sol","role":"seller"}`, chat.Member{UserID: seller.ID, Username: "Sol", Role: "seller"}},
		{`{"username":"Sol","role":"seller"}`, chat.Member{UserID: seller.ID, Username: "Sol", Role: "seller"}},
		{`{"userId":"` + seller.ID.String() + `","username":"Solveig","role":null}`, chat.Member{UserID: seller.ID, Username: "Solveig"}},
	} {
		var got conversation
		h.do("PUT", at, "service", put.body).into(t, http.StatusOK, &got)
		if len(got.Members) != 2 || got.Members[1] != put.want {
			t.Errorf("after %s: %+v", put.body, got.Members)
		}
		e := h.publisher.events[len(h.publisher.events)-1]
		if e.Change != chat.MemberPut || e.UserID != seller.ID || len(e.Conversation.Members) != 2 || e.Conversation.Members[1] != put.want || e.At.IsZero() {
			t.Errorf("published %+v", e)
		}
	}
	if r := h.publisher.events[2].Conversation.Revision; len(h.publisher.events) != 3 || r != 3 {
		t.Errorf("%d events, the last of revision %d", len(h.publisher.events), r)
	}

	// Twice, as if the first answer had been lost.
	for range 2 {
		if answer := h.do("DELETE", at, "service", ""); answer.status != http.StatusNoContent || answer.body != "" {
			t.Errorf("answered %d %q", answer.status, answer.body)
		}
		e := h.publisher.events[len(h.publisher.events)-1]
		if e.Change != chat.MemberRemoved || e.UserID != seller.ID || len(e.Conversation.Members) != 1 || e.Conversation.Revision != 4 {
			t.Errorf("published %+v", e)
		}
	}
	h.do("GET", "/v1/conversations/"+c.ID.String(), "seller", "").problem(t, http.StatusNotFound, chat.CodeNotFound, "")
}

func TestMembersRefuse(t *testing.T) {
	h := newHarness(t)
	c := h.conversation(buyer)
	at := "/v1/conversations/" + c.ID.String() + "/members/"
	for _, put := range []struct{ user, body, field string }{
		{"nobody", `{"username":"x"}`, "userId"},
		{seller.ID.String(), `{"username":"x","userId":"` + stranger.ID.String() + `"}`, "userId"},
		{seller.ID.String(), `{}`, "username"},
		{seller.ID.String(), `{"username":"x","role":"a role that is longer than any role is"}`, "role"},
		{seller.ID.String(), `null`, "body"},
	} {
		h.do("PUT", at+put.user, "service", put.body).problem(t, http.StatusBadRequest, chat.CodeInvalid, put.field)
	}
	if len(h.publisher.events) != 0 {
		t.Errorf("published %+v", h.publisher.events)
	}
}

// TestMembersAreBounded: the limit holds for members who come one by one; those inside may be changed.
func TestMembersAreBounded(t *testing.T) {
	h := newHarness(t)
	users := make([]chat.User, chat.MaxMembers)
	for i := range users {
		users[i] = chat.User{ID: chat.NewID(), Username: fmt.Sprint("user ", i)}
	}
	at := "/v1/conversations/" + h.conversation(users...).ID.String() + "/members/"
	h.do("PUT", at+seller.ID.String(), "service", `{"username":"Sol"}`).problem(t, http.StatusBadRequest, chat.CodeInvalid, "userId")
	h.do("PUT", at+users[7].ID.String(), "service", `{"username":"renamed"}`).into(t, http.StatusOK, new(conversation))
}

// TestMembersWhileKafkaIsAway: the change is stored, not acknowledged, and published when asked again.
func TestMembersWhileKafkaIsAway(t *testing.T) {
	h := newHarness(t)
	at := "/v1/conversations/" + h.conversation(buyer, seller).ID.String() + "/members/" + seller.ID.String()
	for _, method := range []string{"PUT", "DELETE"} {
		h.publisher.err = fmt.Errorf("kafka: %w", chat.ErrUnavailable)
		h.do(method, at, "service", `{"username":"Solveig"}`).problem(t, http.StatusServiceUnavailable, chat.CodeUnavailable, "")
		h.publisher.err = nil
		h.publisher.events = nil
		if answer := h.do(method, at, "service", `{"username":"Solveig"}`); answer.status >= 300 {
			t.Errorf("%s again answers %d", method, answer.status)
		}
		if len(h.publisher.events) != 1 || h.publisher.events[0].UserID != seller.ID {
			t.Errorf("%s again published %+v", method, h.publisher.events)
		}
	}
}
