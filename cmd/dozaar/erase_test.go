package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// An API that cannot do it now is asked again, before the erasure is asked for and while it is under way.
func TestEraseAsksAgain(t *testing.T) {
	var asked []string
	answers := []struct {
		status int
		body   string
	}{
		{http.StatusServiceUnavailable, `{"detail": "not now"}`},
		{http.StatusAccepted, `{"state": "requested"}`},
		{http.StatusBadGateway, ""},
		{http.StatusOK, `{"state": "done", "messages": 7}`},
	}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := answers[min(len(asked), len(answers)-1)]
		asked = append(asked, r.Method)
		w.WriteHeader(a.status)
		_, _ = w.Write([]byte(a.body))
	}))
	defer api.Close()
	erase := func(more ...string) result {
		asked = nil
		return dozaar(t, nil, append([]string{"erase", "user", "b0000000-0000-4000-8000-0000000000b1", "--url", api.URL, "--token", "t"}, more...)...)
	}
	got := erase()
	if want := "DELETE DELETE GET GET"; got.code != exitOK || strings.Join(asked, " ") != want || !strings.Contains(got.stdout, ": 7 messages erased") {
		t.Errorf("exit code %d, asked %v; want %s: %s%s", got.code, asked, want, got.stdout, got.stderr)
	}
	if got := erase("--wait", "0"); got.code != exitFailed || len(asked) != 1 || !strings.Contains(got.stderr, "503 Service Unavailable: not now") {
		t.Errorf("without waiting: exit code %d, asked %v: %s", got.code, asked, got.stderr)
	}
	answers[0].status = http.StatusForbidden
	if got := erase(); got.code != exitFailed || len(asked) != 1 {
		t.Errorf("what does not pass: exit code %d, asked %v: %s", got.code, asked, got.stderr)
	}
}
