package registry_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/schemas"
	"github.com/dozaar/dozaar/schemas/registry"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func client(t *testing.T, url string) *registry.Registry {
	t.Helper()
	r, err := registry.New(nil, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func TestRegister(t *testing.T) {
	fake := srfake.New()
	defer fake.Close()
	r := client(t, fake.URL())
	if _, err := schemas.NewCodec(t.Context(), r); !errors.Is(err, schemas.ErrNotRegistered) {
		t.Errorf("before: %v; want ErrNotRegistered", err)
	}
	for range 2 { // the second time changes nothing
		if _, err := schemas.Register(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range schemas.Events() {
		if !strings.HasSuffix(e.Subject(), "-value") || !fake.SubjectExists(e.Subject()) {
			t.Errorf("subject %s is not there", e.Subject())
		}
		if _, twice := fake.GetSchema(e.Subject(), 2); twice {
			t.Errorf("%s has a second version", e.Subject())
		}
		for _, c := range compatibility(t, fake.URL(), e.Subject()) {
			if c.Err != nil || c.Level != sr.CompatFullTransitive {
				t.Errorf("%s: compatibility %s, %v; want FULL_TRANSITIVE", e.Subject(), c.Level, c.Err)
			}
		}
	}
	if _, err := schemas.NewCodec(t.Context(), r); err != nil {
		t.Errorf("after: %v", err)
	}
}

func compatibility(t *testing.T, url, subject string) []sr.CompatibilityResult {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	c, err := sr.NewClient(sr.URLs(url), sr.HTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	return c.Compatibility(t.Context(), subject)
}

// "There is no such schema" is the registry's own word, and nobody else's.
func TestNotThereOrAway(t *testing.T) {
	fake := srfake.New()
	defer fake.Close()
	proxy := httptest.NewServer(http.NotFoundHandler())
	defer proxy.Close()
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"error_code":50001,"message":"store"}`, http.StatusInternalServerError)
	}))
	defer failing.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, c := range map[string]struct {
		url      string
		notThere bool
	}{
		"the registry says no":       {fake.URL(), true},
		"a proxy's 404":              {proxy.URL, false},
		"the registry has a failure": {failing.URL, false},
		"nobody is there":            {gone.URL, false},
	} {
		r := client(t, c.url)
		if _, err := r.Schema(t.Context(), 77); err == nil || errors.Is(err, schemas.ErrNotRegistered) != c.notThere {
			t.Errorf("%s: schema: %v; ErrNotRegistered should be %t", name, err, c.notThere)
		}
		if _, err := r.ID(t.Context(), "x-value", `"string"`); err == nil || errors.Is(err, schemas.ErrNotRegistered) != c.notThere {
			t.Errorf("%s: id: %v; ErrNotRegistered should be %t", name, err, c.notThere)
		}
	}
}

// Whoever else answers is named, and what he says is not repeated: it may be a page of any length.
func TestAnswersOfSomebodyElse(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusNotFound, http.StatusBadGateway} {
		page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte("<html>" + strings.Repeat("welcome ", 1000)))
		}))
		defer page.Close()
		_, err := schemas.Register(t.Context(), client(t, page.URL))
		if !errors.Is(err, chat.ErrUnavailable) || !strings.Contains(err.Error(), page.URL) || strings.Contains(err.Error(), "welcome") {
			t.Errorf("a page with %d: %v", status, err)
		}
	}
}

// An answer without an end is given up, long before the timeout.
func TestAnAnswerThatDoesNotEnd(t *testing.T) {
	var sent atomic.Int64
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for block := make([]byte, 1<<20); ; sent.Add(1) {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}))
	_, err := client(t, endless.URL).Schema(t.Context(), 1)
	endless.Close()
	if !errors.Is(err, chat.ErrUnavailable) || sent.Load() > 64 {
		t.Errorf("%v, after %d MiB", err, sent.Load())
	}
}

// A subject with somebody else's schema is not tried again, and it is said what may be done.
func TestASubjectOfSomebodyElse(t *testing.T) {
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusConflict)
			_, _ = w.Write([]byte(`{"error_code":409,"message":"Schema being registered is incompatible with an earlier schema"}`))
			return
		}
		_, _ = w.Write([]byte(`{"compatibility":"FULL_TRANSITIVE"}`))
	}))
	defer foreign.Close()
	_, err := schemas.Register(t.Context(), client(t, foreign.URL))
	if err == nil || errors.Is(err, chat.ErrUnavailable) || !strings.Contains(err.Error(), "incompatible with an earlier") ||
		!strings.Contains(err.Error(), "GET /subjects/"+schemas.Events()[0].Subject()+"/versions") {
		t.Errorf("it says %v", err)
	}
}

// Check tells what is missing, what means something else now, and a subject that would take anything.
func TestCheck(t *testing.T) {
	fake := srfake.New()
	defer fake.Close()
	r := client(t, fake.URL())
	if _, err := schemas.Check(t.Context(), r); !errors.Is(err, schemas.ErrNotRegistered) || strings.Count(err.Error(), "dozaar schemas apply") != len(schemas.Events()) {
		t.Errorf("before: %v; want a line for each schema", err)
	}
	registered, err := schemas.Register(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := schemas.Check(t.Context(), r); err != nil || !slices.Equal(found, registered) {
		t.Errorf("after: %v, %v; want %v", found, err, registered)
	}
	if _, err := schemas.Check(t.Context(), otherSchema{r}); err == nil || !strings.Contains(err.Error(), "is another schema") {
		t.Errorf("ids that mean something else: %v", err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	c, err := sr.NewClient(sr.URLs(fake.URL()), sr.HTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	c.SetCompatibility(t.Context(), sr.SetCompatibility{Level: sr.CompatNone}, schemas.MessageRead.Subject())
	if _, err := schemas.Check(t.Context(), r); err == nil || !strings.Contains(err.Error(), `chat.receipts-value has compatibility "NONE"`) {
		t.Errorf("a subject that takes anything: %v", err)
	}
}

// otherSchema is a registry that was filled anew.
type otherSchema struct{ *registry.Registry }

func (otherSchema) Schema(context.Context, int) (string, error) { return `"string"`, nil }

// The URL's user is sent, and never shown.
func TestPasswordInTheURL(t *testing.T) {
	fake := srfake.New()
	defer fake.Close()
	behind, err := url.Parse(fake.URL())
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	proxy := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(behind) }}
	guarded := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "chat" || password != "hush hush" {
			http.Error(w, `{"error_code":40101,"message":"who is it?"}`, http.StatusUnauthorized)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	defer guarded.Close()
	at := func(user string) string { return strings.Replace(guarded.URL, "://", "://"+user, 1) }
	if _, err := schemas.Register(t.Context(), client(t, at("chat:hush%20hush@"))); err != nil {
		t.Error(err)
	}
	for _, user := range []string{"", "chat:hush@"} {
		_, err := schemas.Register(t.Context(), client(t, at(user)))
		if !errors.Is(err, registry.ErrRefused) || errors.Is(err, chat.ErrUnavailable) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v; want a refusal", user, err)
		}
	}
	guarded.Close()
	if _, err := schemas.Register(t.Context(), client(t, at("chat:hush%20hush@"))); !errors.Is(err, chat.ErrUnavailable) || strings.Contains(err.Error(), "hush") {
		t.Errorf("%v; want that it is away", err)
	}
}
