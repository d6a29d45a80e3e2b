package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/dozaar/dozaar/pkg/chat"
)

// desk stands for the marketplace's side: it signs by name and keeps what was created.
type desk struct {
	mu      sync.Mutex
	created []chat.Conversation
	fail    error
}

func (d *desk) mint(u chat.User, service bool) (string, error) {
	if service {
		return "", errors.New("the page must never hold a service token")
	}
	return "token of " + u.Username, nil
}

func (d *desk) create(_ context.Context, c chat.Conversation) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail != nil {
		return d.fail
	}
	d.created = append(d.created, c)
	return nil
}

func post(t *testing.T, h http.Handler) (*http.Response, Session) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/dev/session", nil))
	var s Session
	if w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
	}
	return w.Result(), s
}

func TestDevSession(t *testing.T) {
	d := &desk{}
	res, s := post(t, DevSession(d.mint, d.create))
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("status %d, %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
	if res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("tokens must not be cached, and another origin must be able to ask: %v", res.Header)
	}
	if s.Buyer != (Participant{bea.ID, "Bea", "token of Bea"}) || s.Seller != (Participant{sam.ID, "Sam", "token of Sam"}) {
		t.Errorf("session %+v", s)
	}
	if len(s.Conversations) != len(listings) || len(d.created) != len(listings) {
		t.Fatalf("%d conversations answered, %d created", len(s.Conversations), len(d.created))
	}
	for i, c := range d.created {
		if err := c.Validate(); err != nil {
			t.Errorf("conversation %d is not valid: %v", i, err)
		}
		if c.ID != s.Conversations[i] || c.ID != chat.ConversationIDFromKey(c.Key) {
			t.Errorf("conversation %d: id %s, answered %s", i, c.ID, s.Conversations[i])
		}
		if c.CreatedAt.IsZero() || i > 0 && !c.CreatedAt.Before(d.created[i-1].CreatedAt) {
			t.Errorf("conversation %d was made at %s: lists must show the first one first", i, c.CreatedAt)
		}
		for _, u := range []chat.User{bea, sam} {
			if m, ok := c.Member(u.ID); !ok || m.Role == "" {
				t.Errorf("conversation %d: %s is not a member with a role", i, u.Username)
			}
		}
		var meta struct{ Listing, Price string }
		if err := json.Unmarshal(c.Metadata, &meta); err != nil || meta.Listing == "" || meta.Price == "" {
			t.Errorf("conversation %d: metadata %s (%v)", i, c.Metadata, err)
		}
	}
}

// The whole point of fixed ids: another process, after a restart, answers the same ones.
func TestDevSessionIsTheSameAfterARestart(t *testing.T) {
	before, after := &desk{}, &desk{}
	_, a := post(t, DevSession(before.mint, before.create))
	_, b := post(t, DevSession(after.mint, after.create))
	if a.Buyer != b.Buyer || a.Seller != b.Seller {
		t.Errorf("people differ: %+v, %+v", a, b)
	}
	for i := range a.Conversations {
		if a.Conversations[i] != b.Conversations[i] {
			t.Errorf("conversation %d differs", i)
		}
	}
}

func TestDevSessionCreatesOnce(t *testing.T) {
	d := &desk{}
	h := DevSession(d.mint, d.create)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { post(t, h) })
	}
	wg.Wait()
	if len(d.created) != len(listings) {
		t.Errorf("%d conversations created by eight requests, want %d", len(d.created), len(listings))
	}
}

func TestDevSessionTriesAgainAfterAFailure(t *testing.T) {
	d := &desk{fail: errors.New("disk at /secret/path is full")}
	h := DevSession(d.mint, d.create)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/dev/session", nil))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("status %d, %s", w.Code, w.Header().Get("Content-Type"))
	}
	if strings.Contains(w.Body.String(), "secret") {
		t.Errorf("the answer tells what happened inside: %s", w.Body)
	}
	d.fail = nil
	if res, s := post(t, h); res.StatusCode != http.StatusOK || len(s.Conversations) != len(listings) {
		t.Errorf("status %d after the store is back", res.StatusCode)
	}
}

func TestDevSessionFailsWithoutATokenSigner(t *testing.T) {
	d := &desk{}
	h := DevSession(func(chat.User, bool) (string, error) { return "", errors.New("no key") }, d.create)
	if res, _ := post(t, h); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d", res.StatusCode)
	}
}

func TestDevSessionMethods(t *testing.T) {
	d := &desk{}
	for method, want := range map[string]int{"GET": 405, "PUT": 405, "OPTIONS": 204} {
		w := httptest.NewRecorder()
		DevSession(d.mint, d.create).ServeHTTP(w, httptest.NewRequest(method, "/dev/session", nil))
		if w.Code != want {
			t.Errorf("%s: status %d, want %d", method, w.Code, want)
		}
	}
	if len(d.created) != 0 {
		t.Error("only POST may create")
	}
}
