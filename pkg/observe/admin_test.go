package observe

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// serve starts an admin server on a free port and stops it at the end of the test.
func serve(t *testing.T, health *Health) string {
	t.Helper()
	admin, err := NewAdmin(AdminConfig{Listen: "127.0.0.1:0", Health: health, Gatherer: NewRegistry("v1", "abc"), Logger: discard()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- admin.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if _, err := net.DialTimeout("tcp", admin.Addr().String(), time.Second); err == nil {
			t.Error("still listening")
		}
	})
	return "http://" + admin.Addr().String()
}

func get(t *testing.T, url string) (code int, body string, header http.Header) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data), resp.Header
}

func TestAdminPages(t *testing.T) {
	base := serve(t, NewHealth())
	for _, tt := range []struct {
		path string
		code int
		says string
	}{
		{"/livez", 200, `"live":true`},
		{"/readyz", 200, `"ready":true`},
		{"/metrics", 200, "dozaar_build_info"},
		{"/debug/pprof/", 200, "goroutine"},
		{"/debug/pprof/heap?debug=1", 200, "heap profile"},
		{"/debug/pprof/profile?seconds=1", 200, ""},
		{"/debug/pprof/cmdline", 404, ""}, // it would show a secret that was given as a flag
		{"/", 404, ""},
		{"/debug/vars", 404, ""},
	} {
		if code, body, _ := get(t, base+tt.path); code != tt.code || !strings.Contains(body, tt.says) {
			t.Errorf("%s: %d %.200s", tt.path, code, body)
		}
	}
}

func TestReadyzSaysWhatIsMissing(t *testing.T) {
	health := NewHealth()
	health.Add("kafka", func(context.Context) error { return nil })
	health.Add("redis", func(context.Context) error { return errors.New("connection refused") })
	base := serve(t, health)
	code, body, header := get(t, base+"/readyz")
	var got Status
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if code != http.StatusServiceUnavailable || got.Ready || !got.Checks["kafka"].OK || got.Checks["redis"].Error != "connection refused" {
		t.Errorf("%d %s", code, body)
	}
	if header.Get("Content-Type") != "application/json" || header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v", header)
	}
	if code, _, _ := get(t, base+"/livez"); code != http.StatusOK {
		t.Errorf("an engine that is away must not have the process restarted: /livez says %d", code)
	}
}

func TestAPortThatIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if _, err := NewAdmin(AdminConfig{Listen: taken.Addr().String(), Health: NewHealth(), Gatherer: NewRegistry("", ""), Logger: discard()}); err == nil {
		t.Fatal("no error")
	}
}

func TestRunEndsWhenServingFails(t *testing.T) {
	admin, err := NewAdmin(AdminConfig{Listen: "127.0.0.1:0", Health: NewHealth(), Gatherer: NewRegistry("", ""), Logger: discard()})
	if err != nil {
		t.Fatal(err)
	}
	admin.listener.Close()
	if err := admin.Run(context.Background()); err == nil {
		t.Fatal("no error")
	}
}

// Stopping does not wait for somebody who takes a long profile.
func TestStoppingDuringAProfile(t *testing.T) {
	admin, err := NewAdmin(AdminConfig{Listen: "127.0.0.1:0", Health: NewHealth(), Gatherer: NewRegistry("", ""), Logger: discard()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- admin.Run(ctx) }()
	conn, err := net.Dial("tcp", admin.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /debug/pprof/trace?seconds=60 HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil { // it has begun
		t.Fatal(err)
	}
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("still waiting")
	}
}
