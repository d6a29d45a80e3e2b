package api_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

func TestPresence(t *testing.T) {
	h := newHarness(t)
	on, off := true, false
	h.presence.statuses = map[chat.ID]chat.PresenceStatus{
		buyer.ID:  {Online: &on},
		seller.ID: {Online: &off, LastSeen: time.UnixMilli(1_700_000_000_123)},
		shop.ID:   {},
	}
	ids := []string{buyer.ID.String(), seller.ID.String(), shop.ID.String(), stranger.ID.String(), "nobody", "", "é", strings.ToUpper(buyer.ID.String()), buyer.ID.String()}
	answer := h.do("GET", "/v1/presence?userIds="+url.QueryEscape(strings.Join(ids, ",")), "buyer", "")
	var got struct{ Statuses map[string]json.RawMessage }
	answer.into(t, http.StatusOK, &got)
	want := map[string]string{
		ids[0]: `{"online":true}`,
		ids[1]: `{"online":false,"lastSeen":1700000000123}`,
		ids[2]: `{"online":null}`,
		ids[3]: `{"online":false}`,
		ids[4]: `{"online":false}`,
		ids[5]: `{"online":false}`,
		ids[6]: `{"online":false}`,
		ids[7]: `{"online":true}`,
	}
	if len(got.Statuses) != len(want) {
		t.Errorf("%d answers, want %d: %s", len(got.Statuses), len(want), answer.body)
	}
	for id, status := range want {
		if string(got.Statuses[id]) != status {
			t.Errorf("%q is %s, want %s", id, got.Statuses[id], status)
		}
	}
}

// TestPresenceWhileRedisIsAway: unknown is not offline; nobody's id is nobody's all the same.
func TestPresenceWhileRedisIsAway(t *testing.T) {
	h := newHarness(t)
	h.presence.err = errors.New("redis: connection refused")
	answer := h.do("GET", "/v1/presence?userIds="+buyer.ID.String()+",nobody", "buyer", "")
	if want := `{"statuses":{"` + buyer.ID.String() + `":{"online":null},"nobody":{"online":false}}}`; answer.status != http.StatusOK || answer.body != want {
		t.Errorf("answered %d %s", answer.status, answer.body)
	}
}

func TestPresenceRefuses(t *testing.T) {
	h := newHarness(t)
	hundred := strings.Repeat(buyer.ID.String()+",", 99) + buyer.ID.String()
	if answer := h.do("GET", "/v1/presence?userIds="+hundred, "buyer", ""); answer.status != http.StatusOK {
		t.Errorf("100 ids answer %d", answer.status)
	}
	for _, query := range []string{"", "userIds=", "userIds=" + hundred + ",x", "userIds=a&userIds=b", "userIds=%ff"} {
		h.do("GET", "/v1/presence?"+query, "buyer", "").problem(t, http.StatusBadRequest, chat.CodeInvalid, "userIds")
	}
}
