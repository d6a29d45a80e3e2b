package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/api"
	"github.com/dozaar/dozaar/pkg/chat"
)

func TestUnknownPathsAndMethods(t *testing.T) {
	h := newHarness(t)
	for _, path := range []string{"/", "/v1", "/v1/", "/v2/conversations", "/v1/conversations/", "/v1//conversations", "/v1/../v1/conversations", "/v1/conversations/x/y", "/etc/passwd", "/v1/conversations%2f"} {
		h.do("GET", path, "buyer", "").problem(t, http.StatusNotFound, chat.CodeNotFound, "")
	}
	for path, allow := range map[string]string{
		"/v1/conversations":             "GET, POST",
		"/v1/conversations/x":           "GET",
		"/v1/conversations/x/members/y": "PUT, DELETE",
		"/v1/conversations/x/messages":  "GET, POST",
		"/v1/presence":                  "GET",
	} {
		for _, method := range []string{"PATCH", "OPTIONS", "TRACE", "BREW"} {
			answer := h.do(method, path, "buyer", "")
			answer.problem(t, http.StatusMethodNotAllowed, chat.CodeInvalid, "")
			if answer.header.Get("Allow") != allow {
				t.Errorf("%s allows %q", path, answer.header.Get("Allow"))
			}
		}
	}
}

// TestPanic: the client gets a problem, the log the stack, and the process lives.
func TestPanic(t *testing.T) {
	h := newHarness(t)
	answer := h.do("GET", "/v1/conversations", "broken", "")
	answer.problem(t, http.StatusInternalServerError, chat.CodeInternal, "")
	if log := h.log.String(); !strings.Contains(log, "planted in the verifier") || !strings.Contains(log, "harness_test.go") {
		t.Errorf("the log has no stack: %s", log)
	}
	if strings.Contains(answer.body, "planted") {
		t.Errorf("the client was told of our insides: %s", answer.body)
	}
	h.do("GET", "/v1/conversations", "buyer", "").into(t, http.StatusOK, new(inboxPage))
	if got := h.counted("dozaar_http_panics_total"); got[""] != 1 {
		t.Errorf("counted %v", got)
	}
}

// TestErrorsOfOurs: what is no error of the vocabulary is a 500 whose cause is in the log only.
func TestErrorsOfOurs(t *testing.T) {
	h := newHarness(t)
	h.store.before = func() error { return fmt.Errorf("disk %d is on fire", 7) }
	answer := h.do("GET", "/v1/conversations", "buyer", "")
	answer.problem(t, http.StatusInternalServerError, chat.CodeInternal, "")
	if strings.Contains(answer.body, "fire") || !strings.Contains(h.log.String(), "disk 7 is on fire") {
		t.Errorf("the answer: %s\nthe log: %s", answer.body, h.log)
	}
}

func TestLogHasNoBodies(t *testing.T) {
	h := newHarness(t)
	at := "/v1/conversations/" + h.conversation(buyer).ID.String() + "/messages"
	h.do("POST", at, "buyer", `{"message":"my bank account is 123"}`)
	h.do("POST", at, "buyer", `{"message":"my bank account is 123","attachmentUrls":["my bank account"]}`)
	h.publisher.err = unavailable()
	h.do("POST", at, "buyer", `{"message":"my bank account is 123"}`)
	h.do("GET", "/v1/presence?userIds=my+bank+account", "buyer", "")
	log := h.log.String()
	if strings.Contains(log, "bank") || strings.Contains(log, "Bearer") {
		t.Errorf("the log has what it must not have:\n%s", log)
	}
	for _, want := range []string{`"route":"POST /v1/conversations/{id}/messages"`, `"status":201`, `"status":400`, `"status":503`, `"level":"WARN"`, `"route":"GET /v1/presence"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
}

func TestMetrics(t *testing.T) {
	h := newHarness(t)
	for range 3 {
		h.do("GET", "/v1/conversations/"+chat.NewID().String(), "buyer", "")
	}
	h.do("GET", "/v1/conversations", "", "")
	h.do("PATCH", "/v1/conversations", "", "")
	h.do("GET", "/"+chat.NewID().String(), "", "")
	h.do("GET", "/v1//x", "", "")
	want := map[string]float64{
		"401 GET /v1/conversations":      1,
		"404 /":                          1,
		"404 GET /v1/conversations/{id}": 3,
		"404 none":                       1,
		"405 /v1/conversations":          1,
	}
	if got := h.counted("dozaar_http_requests_total"); !maps.Equal(got, want) {
		t.Errorf("counted %v", got)
	}
}

// TestStalledClients: one that sends half a body is answered and let go at the deadline, an engine
// that hangs is told apart from a fault, and the connection of a fast client has no deadline left.
func TestStalledClients(t *testing.T) {
	store := newHarness(t).store
	hang := func(ctx context.Context) error { <-ctx.Done(); return fmt.Errorf("store: %w", ctx.Err()) }
	server := httptest.NewServer(api.New(api.Config{
		Verifier: verifier{}, Conversations: store, History: store, Inbox: hanging{store, hang}, Publisher: &publisher{}, Presence: &presence{},
		Timeout: 300 * time.Millisecond,
	}))
	defer server.Close()

	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	in := bufio.NewReader(conn)
	ask := func(request string) int {
		t.Helper()
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if _, err := io.ReadAll(answer.Body); err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode
	}
	const get = "GET /v1/presence?userIds=x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer buyer\r\n\r\n"
	if status := ask(get); status != http.StatusOK {
		t.Errorf("answered %d", status)
	}
	time.Sleep(400 * time.Millisecond) // longer than a request may take, shorter than a connection
	if status := ask(get); status != http.StatusOK {
		t.Errorf("on the same connection, later: %d", status)
	}
	if status := ask("GET /v1/conversations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer buyer\r\n\r\n"); status != http.StatusServiceUnavailable {
		t.Errorf("an engine that hangs: %d", status)
	}
	began := time.Now()
	half := "POST /v1/conversations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer service\r\nContent-Length: 100\r\n\r\n{\"members\":"
	if status := ask(half); status != http.StatusBadRequest {
		t.Errorf("half a body: %d", status)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("half a body held the connection for %s", took)
	}
	if _, err := in.ReadByte(); err != io.EOF {
		t.Errorf("the connection of half a body is still open: %v", err)
	}
}

type hanging struct {
	*store
	hang func(context.Context) error
}

func (h hanging) Inbox(ctx context.Context, _ chat.ID, _ chat.InboxCursor, _ int) ([]chat.InboxEntry, error) {
	return nil, h.hang(ctx)
}
