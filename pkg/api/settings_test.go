package api_test

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/dozaar/dozaar/pkg/chat"
)

// muteTooMany has the seller mute as many conversations as one may.
func (h *harness) muteTooMany() {
	for range chat.MaxMuted {
		if err := h.store.Memory.PutMuted(context.Background(), seller.ID, chat.NewID(), true); err != nil {
			h.t.Fatal(err)
		}
	}
}

func TestSettingsAreOnesOwnAndAreTold(t *testing.T) {
	h := newHarness(t)
	conv := h.conversation(buyer, seller)
	muted := "/v1/settings/muted/" + conv.ID.String()
	settings := func(as, want string) {
		t.Helper()
		if got := h.do("GET", "/v1/settings", as, ""); got.status != http.StatusOK || got.body != want {
			t.Errorf("%s has %d %s, want %s", as, got.status, got.body, want)
		}
	}
	settings("buyer", `{"invisible":false,"muted":[]}`)
	for _, path := range []string{"/v1/settings/invisible", muted, muted} {
		if got := h.do("PUT", path, "buyer", ""); got.status != http.StatusNoContent {
			t.Errorf("PUT %s: %d %s", path, got.status, got.body)
		}
	}
	settings("buyer", `{"invisible":true,"muted":["`+conv.ID.String()+`"]}`)
	settings("seller", `{"invisible":false,"muted":[]}`)
	for _, path := range []string{"/v1/settings/invisible", muted} {
		if got := h.do("DELETE", path, "buyer", ""); got.status != http.StatusNoContent {
			t.Errorf("DELETE %s: %d %s", path, got.status, got.body)
		}
	}
	settings("buyer", `{"invisible":false,"muted":[]}`)
	if want := slices.Repeat([]chat.ID{buyer.ID}, 5); !slices.Equal(h.presence.changed, want) {
		t.Errorf("told %v", h.presence.changed)
	}
	h.do("PUT", muted, "stranger", "").problem(t, http.StatusNotFound, chat.CodeNotFound, "")
	h.do("DELETE", "/v1/settings/muted/x", "buyer", "").problem(t, http.StatusNotFound, chat.CodeNotFound, "")
	h.presence.err = unavailable() // stored, and not told: the client tries again
	h.do("PUT", muted, "buyer", "").problem(t, http.StatusServiceUnavailable, chat.CodeUnavailable, "")
}

func TestStrangersAreAsThoseWhoDoNotExist(t *testing.T) {
	h := newHarness(t)
	on := true
	h.presence.statuses = map[chat.ID]chat.PresenceStatus{seller.ID: {Online: &on}}
	h.presence.unseen = []chat.ID{seller.ID}
	nobody := "ffffffff-ffff-4fff-bfff-ffffffffffff"
	ask := "/v1/presence?userIds=" + seller.ID.String() + "," + nobody
	if got, want := h.do("GET", ask, "buyer", "").body, `{"statuses":{"`+seller.ID.String()+`":{"online":false},"`+nobody+`":{"online":false}}}`; got != want {
		t.Errorf("answered %s, want %s", got, want)
	}
	if got, want := h.do("GET", ask, "service", "").body, `{"statuses":{"`+seller.ID.String()+`":{"online":true},"`+nobody+`":{"online":false}}}`; got != want {
		t.Errorf("the backend was answered %s, want %s", got, want)
	}
}
