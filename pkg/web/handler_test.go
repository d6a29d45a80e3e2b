package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func built() http.Handler {
	return handler(fstest.MapFS{
		"index.html":            {Data: []byte("<!doctype html><title>built</title>")},
		"assets/page-ABCD.js":   {Data: []byte("export {}")},
		"assets/page-ABCD.css":  {Data: []byte("body{}")},
		"assets/icon-ABCD.svg":  {Data: []byte("<svg/>")},
		"assets/notes-ABCD.odd": {Data: []byte("of no known type")},
		"secret.txt":            {Data: []byte("not under assets")},
		".gitkeep":              {},
	})
}

func get(t *testing.T, h http.Handler, method, path string) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, "/", nil)
	r.URL.Path = path // as a hostile client would send it, uncleaned
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestHandlerServes(t *testing.T) {
	const forever = "public, max-age=31536000, immutable"
	tests := []struct{ method, path, kind, cache, body string }{
		{"GET", "/", "text/html; charset=utf-8", "no-store", "<!doctype html><title>built</title>"},
		{"GET", "/index.html", "text/html; charset=utf-8", "no-store", "<!doctype html><title>built</title>"},
		{"HEAD", "/", "text/html; charset=utf-8", "no-store", ""},
		{"GET", "/assets/page-ABCD.js", "text/javascript; charset=utf-8", forever, "export {}"},
		{"GET", "/assets/page-ABCD.css", "text/css; charset=utf-8", forever, "body{}"},
		{"GET", "/assets/icon-ABCD.svg", "image/svg+xml", forever, "<svg/>"},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			res := get(t, built(), tt.method, tt.path)
			if res.StatusCode != http.StatusOK {
				t.Fatalf("status %d", res.StatusCode)
			}
			if got := res.Header.Get("Content-Type"); got != tt.kind {
				t.Errorf("content type %q, want %q", got, tt.kind)
			}
			if got := res.Header.Get("Cache-Control"); got != tt.cache {
				t.Errorf("cache control %q, want %q", got, tt.cache)
			}
			if got := body(t, res); got != tt.body {
				t.Errorf("body %q, want %q", got, tt.body)
			}
		})
	}
}

func TestHandlerRefuses(t *testing.T) {
	tests := []struct {
		method, path string
		status       int
	}{
		{"GET", "/secret.txt", 404},
		{"GET", "/.gitkeep", 404},
		{"GET", "/assets/", 404},
		{"GET", "/assets", 404},
		{"GET", "/assets/missing.js", 404},
		{"GET", "/assets/notes-ABCD.odd", 404},
		{"GET", "/assets/../secret.txt", 404},
		{"GET", "//index.html", 404},
		{"POST", "/", 405},
		{"DELETE", "/assets/page-ABCD.js", 405},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			res := get(t, built(), tt.method, tt.path)
			if res.StatusCode != tt.status {
				t.Errorf("status %d, want %d", res.StatusCode, tt.status)
			}
			if cache := res.Header.Get("Cache-Control"); strings.Contains(cache, "immutable") {
				t.Errorf("a refusal is cached for ever: %q", cache)
			}
		})
	}
}

func TestHandlerPolicyOnEveryAnswer(t *testing.T) {
	for _, path := range []string{"/", "/assets/page-ABCD.js", "/missing"} {
		h := get(t, built(), "GET", path).Header
		csp := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'", "base-uri 'none'", "connect-src 'self' http: https: ws: wss:"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: policy lacks %q: %s", path, want, csp)
			}
		}
		if strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy has an unsafe source: %s", path, csp)
		}
		if got := h.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: X-Content-Type-Options %q", path, got)
		}
		if got := h.Get("Referrer-Policy"); got != "no-referrer" {
			t.Errorf("%s: Referrer-Policy %q", path, got)
		}
	}
}

func TestHandlerWithoutBundleSaysHowToBuildIt(t *testing.T) {
	res := get(t, handler(fstest.MapFS{".gitkeep": {}}), "GET", "/")
	if res.StatusCode != http.StatusOK || !strings.Contains(body(t, res), "make build") {
		t.Errorf("status %d; the page must say how to build it", res.StatusCode)
	}
	if got := res.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("cache control %q", got)
	}
}

// The embedded folder may or may not hold a bundle where this test runs; both answer.
func TestHandlerEmbedded(t *testing.T) {
	if res := get(t, Handler(), "GET", "/"); res.StatusCode != http.StatusOK {
		t.Errorf("status %d", res.StatusCode)
	}
}
