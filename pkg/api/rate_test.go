package api_test

import (
	"net/http"
	"testing"

	"github.com/dozaar/dozaar/pkg/api"
)

func TestOneUserWhoAsksTooOften(t *testing.T) {
	h := newHarness(t)
	h.handler = h.patient(api.Rate{PerSecond: 0.001, Burst: 3})
	for i, want := range []int{200, 200, 200, 429, 429} {
		if got := h.do(http.MethodGet, "/v1/conversations", "buyer", ""); got.status != want {
			t.Errorf("request %d: %d, want %d", i+1, got.status, want)
		}
	}
	if got := h.do(http.MethodGet, "/v1/conversations", "seller", ""); got.status != 200 {
		t.Errorf("another user: %d", got.status)
	}
	for range 10 {
		if got := h.do(http.MethodGet, "/v1/presence?userIds=x", "service", ""); got.status != 200 {
			t.Fatalf("the backend: %d", got.status)
		}
	}
}
