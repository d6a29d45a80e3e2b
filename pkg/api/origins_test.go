package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dozaar/dozaar/pkg/api"
)

func origins(t *testing.T, list ...string) *api.Origins {
	t.Helper()
	o, err := api.NewOrigins(list)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestAllowOrigin is row 7. The requests go to chat.example.
func TestAllowOrigin(t *testing.T) {
	listed := []string{"https://shop.example", "http://localhost:5173", "HTTPS://Upper.Example:443"}
	for _, c := range []struct {
		list   []string
		origin string
		want   bool
	}{
		{nil, "", true},
		{nil, "https://chat.example", true},
		{nil, "http://chat.example", true},
		{nil, "https://CHAT.example", true},
		{nil, "https://chat.example:443", true},
		{nil, "https://chat.example:8443", false},
		{nil, "https://shop.example", false},
		{nil, "https://chat.example.evil.example", false},
		{nil, "https://evil.example/chat.example", false},
		{nil, "https://chat.example@evil.example", false},
		{nil, "null", false},
		{nil, "chat.example", false},
		{nil, "file://", false},
		{listed, "", true},
		{listed, "https://shop.example", true},
		{listed, "https://shop.example:443", true},
		{listed, "https://upper.example", true},
		{listed, "http://localhost:5173", true},
		{listed, "https://chat.example", true},
		{listed, "http://shop.example", false},
		{listed, "https://shop.example:8443", false},
		{listed, "http://localhost", false},
		{listed, "https://a.shop.example", false},
		{listed, "https://shop.example.evil.example", false},
		{listed, "null", false},
		{listed, "*", false},
		{[]string{"*"}, "https://anything.example", true},
		{[]string{"*"}, "null", true},
		{[]string{"https://shop.example", "*"}, "https://anything.example", true},
	} {
		r := httptest.NewRequest("GET", "http://chat.example/v1/conversations", nil)
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if got := origins(t, c.list...).AllowOrigin(r); got != c.want {
			t.Errorf("with %q, %q is allowed: %v", c.list, c.origin, got)
		}
	}
	two := httptest.NewRequest("GET", "http://chat.example/", nil)
	two.Header["Origin"] = []string{"https://shop.example", "https://evil.example"}
	if origins(t, listed...).AllowOrigin(two) {
		t.Error("two origins are allowed")
	}
	ours := httptest.NewRequest("GET", "http://[::1]:3000/", nil)
	ours.Header.Set("Origin", "http://[::1]:3000")
	if !origins(t).AllowOrigin(ours) {
		t.Error("our own address of version 6 is not allowed")
	}
}

func TestOriginsAreChecked(t *testing.T) {
	for _, s := range []string{"", "shop.example", "https://", "https://shop.example/", "https://shop.example/chat", "https://shop.example?", "https://shop.example#", "https://u@shop.example", "ftp://shop.example", "null", "https://*.shop.example:x", "wss://shop.example"} {
		if _, err := api.NewOrigins([]string{s}); err == nil || !strings.Contains(err.Error(), "no origin") {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// TestCORS goes through the middleware as /v1 and /socket.io/ do.
func TestCORS(t *testing.T) {
	h := newHarness(t)
	ask := func(o *api.Origins, method, origin string, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "http://chat.example/v1/conversations", nil)
		r.Header.Set("Origin", origin)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		o.Handler(h.handler).ServeHTTP(w, r)
		return w
	}
	preflight := []string{"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type"}
	for _, c := range []struct{ list, origin, allow string }{
		{"https://shop.example", "https://shop.example", "https://shop.example"},
		{"https://shop.example", "http://chat.example", "http://chat.example"},
		{"*", "https://anything.example", "*"},
		{"*", "null", "*"},
	} {
		o := origins(t, c.list)
		w := ask(o, http.MethodOptions, c.origin, preflight...)
		if w.Code != http.StatusNoContent || w.Header().Get("Access-Control-Allow-Origin") != c.allow || w.Header().Get("Access-Control-Allow-Methods") != "POST" ||
			w.Header().Get("Access-Control-Allow-Headers") != "authorization,content-type" {
			t.Errorf("%+v: the preflight answers %d %v", c, w.Code, w.Header())
		}
		w = ask(o, http.MethodGet, c.origin, "Authorization", "Bearer buyer")
		if w.Code != http.StatusOK || w.Header().Get("Access-Control-Allow-Origin") != c.allow || w.Header().Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%+v: the request answers %d %v", c, w.Code, w.Header())
		}
		// A page has to be able to read why it was refused.
		if w = ask(o, http.MethodGet, c.origin); w.Code != http.StatusUnauthorized || w.Header().Get("Access-Control-Allow-Origin") != c.allow {
			t.Errorf("%+v: without a token %d %v", c, w.Code, w.Header())
		}
	}
	for _, method := range []string{http.MethodOptions, http.MethodGet, http.MethodPost} {
		for _, origin := range []string{"https://evil.example", "null"} {
			w := ask(origins(t, "https://shop.example"), method, origin, append(preflight, "Authorization", "Bearer service")...)
			if w.Code != http.StatusForbidden || w.Header().Get("Access-Control-Allow-Origin") != "" || w.Header().Get("Vary") != "Origin" {
				t.Errorf("%s from %s answers %d %v", method, origin, w.Code, w.Header())
			}
			if !strings.Contains(w.Body.String(), `"code":"forbidden"`) {
				t.Errorf("no problem: %s", w.Body)
			}
		}
	}
	teapot := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	for origin, want := range map[string]int{"https://evil.example": http.StatusTeapot, "https://shop.example": http.StatusOK} {
		r := httptest.NewRequest(http.MethodGet, "/socket.io/", nil)
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		fine := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		origins(t, "https://shop.example").Split(fine, teapot).ServeHTTP(w, r)
		if w.Code != want || w.Header().Get("Vary") != "Origin" {
			t.Errorf("of two handlers, %s gets %d %v", origin, w.Code, w.Header())
		}
	}
	if w := ask(origins(t, "https://shop.example"), http.MethodOptions, "https://shop.example", "Access-Control-Request-Method", "PATCH"); w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a method that there is not is allowed: %v", w.Header())
	}
}
