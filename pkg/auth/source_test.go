package auth

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/prometheus/client_golang/prometheus"
)

// issuer is a key server without a network, so that hours pass in a test at once.
type issuer struct {
	mu     sync.Mutex
	keys   string
	status int
	away   error
	slow   time.Duration
	asked  []string // the URLs that were asked for
}

func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	i.asked = append(i.asked, r.URL.String())
	keys, status, away, slow := i.keys, i.status, i.away, i.slow
	i.mu.Unlock()
	select {
	case <-time.After(slow):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if away != nil {
		return nil, away
	}
	if status == 0 {
		status = http.StatusOK
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Body: io.NopCloser(strings.NewReader(keys)), Request: r}, nil
}

func (i *issuer) publish(keys string) { i.mu.Lock(); i.keys = keys; i.mu.Unlock() }
func (i *issuer) goAway(err error)    { i.mu.Lock(); i.away = err; i.mu.Unlock() }
func (i *issuer) count() int          { i.mu.Lock(); defer i.mu.Unlock(); return len(i.asked) }

const keysURL = "https://id.example/keys"

func (i *issuer) config() Config {
	return Config{JWKSURL: keysURL, HTTPClient: &http.Client{Transport: i}}
}

// running starts Run and stops it at the end of the test.
func running(t *testing.T, v *Verifier) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- v.Run(ctx) }()
	t.Cleanup(func() {
		select {
		case err := <-done:
			t.Errorf("Run ended by itself: %v", err)
			done <- err
		default:
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// Row 6 of the hostile inputs: rotation.
func TestRotation(t *testing.T) {
	before, after := freshPair(t, ES256), freshPair(t, EdDSA)
	synctest.Test(t, func(t *testing.T) {
		server := &issuer{keys: jwks(t, before.jwk(t, "old", nil))}
		v := newVerifier(t, server.config())
		running(t, v)
		good := map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()}
		oldToken, newToken := before.token(t, "old", good), after.token(t, "new", good)
		accept(t, v, oldToken)
		refuseAs(t, v, newToken, chat.ErrUnauthorized, resultKey)

		server.publish(jwks(t, before.jwk(t, "old", nil), after.jwk(t, "new", nil)))
		time.Sleep(DefaultUnknownKeyInterval)
		accept(t, v, newToken) // found by its first token, without waiting for the next refresh
		accept(t, v, oldToken)

		server.publish(jwks(t, after.jwk(t, "new", nil)))
		time.Sleep(DefaultRefreshInterval)
		refuseAs(t, v, oldToken, chat.ErrUnauthorized, resultKey)
		accept(t, v, newToken)
	})
}

func TestRotationOfAKeyFile(t *testing.T) {
	before, after := freshPair(t, ES256), freshPair(t, ES256)
	path := keyFile(t, before.pem(t))
	replace := func(content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		v := newVerifier(t, Config{KeyFile: path})
		running(t, v)
		good := map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()}
		oldToken, newToken := before.token(t, "", good), after.token(t, "", good)
		accept(t, v, oldToken)
		refuseAs(t, v, newToken, chat.ErrUnauthorized, resultSignature)
		replace(before.pem(t) + after.pem(t))
		time.Sleep(DefaultRefreshInterval)
		accept(t, v, oldToken)
		accept(t, v, newToken)
		replace("half a fi") // caught while it is being written: the last good keys stand
		time.Sleep(DefaultRefreshInterval)
		accept(t, v, newToken)
		replace(after.pem(t))
		time.Sleep(DefaultRefreshInterval)
		accept(t, v, newToken)
		refuseAs(t, v, oldToken, chat.ErrUnauthorized, resultSignature)
	})
}

// Row 2 of the hostile inputs: nothing that a token says is fetched, and unknown ids cannot make us ask
// the key server more often than every ten seconds, however many come.
func TestUnknownKeyIDsAreBounded(t *testing.T) {
	p, stranger := freshPair(t, ES256), freshPair(t, ES256)
	synctest.Test(t, func(t *testing.T) {
		server := &issuer{keys: jwks(t, p.jwk(t, "k", nil)), slow: time.Second}
		registry := prometheus.NewRegistry()
		cfg := server.config()
		cfg.Registerer = registry
		v := newVerifier(t, cfg)
		time.Sleep(DefaultUnknownKeyInterval)

		for _, kid := range []string{"https://evil.example/k", "../../k", "/k", `\\evil\k`} {
			refuseAs(t, v, stranger.token(t, kid, nil), chat.ErrUnauthorized, resultKey)
		}
		refuseAs(t, v, sign(t, stranger.method, stranger.private, map[string]any{"jku": "https://evil.example/k", "kid": "x"}, body(nil)), chat.ErrUnauthorized, resultMalformed)
		if server.count() != 1 {
			t.Fatalf("asked %d times, want only the first", server.count())
		}

		token := stranger.token(t, "unknown", map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()})
		for range 6 { // a minute of it
			var wg sync.WaitGroup
			for range 200 {
				wg.Go(func() {
					begun := time.Now()
					refuseAs(t, v, token, chat.ErrUnauthorized, resultKey)
					if waited := time.Since(begun); waited > fetchTimeout {
						t.Errorf("waited %s", waited)
					}
				})
			}
			wg.Wait()
			accept(t, v, p.token(t, "k", nil)) // others are served
			time.Sleep(DefaultUnknownKeyInterval)
		}
		if got := server.count(); got != 7 {
			t.Errorf("asked %d times, want once and then six times", got)
		}
		for _, url := range server.asked {
			if url != keysURL {
				t.Errorf("asked %s", url)
			}
		}
		if got := metric(t, registry, "dozaar_auth_key_refreshes_total", "result=ok,source=url"); got != 7 {
			t.Errorf("%v refreshes counted", got)
		}
	})
}

// One who hangs up spends nobody's budget: the read goes on for those who come after.
func TestAClientThatHangsUpDoesNotStopTheRead(t *testing.T) {
	before, after := freshPair(t, ES256), freshPair(t, ES256)
	synctest.Test(t, func(t *testing.T) {
		server := &issuer{keys: jwks(t, before.jwk(t, "old", nil))}
		v := newVerifier(t, server.config())
		time.Sleep(DefaultUnknownKeyInterval)
		server.mu.Lock()
		server.keys, server.slow = jwks(t, after.jwk(t, "new", nil)), time.Second
		server.mu.Unlock()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := v.Verify(ctx, after.token(t, "new", nil)); err != nil {
			t.Errorf("the one who asked: %v", err)
		}
		accept(t, v, after.token(t, "new", nil))
	})
}

func TestKeyServerAwayAtTheStart(t *testing.T) {
	p := freshPair(t, ES256)
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		registry := prometheus.NewRegistry()
		server := &issuer{keys: jwks(t, p.jwk(t, "k", nil)), away: errors.New("connection refused")}
		cfg := server.config()
		cfg.JWKSURL = "https://me:hush@id.example/keys?key=hush"
		cfg.Registerer, cfg.Logger = registry, slog.New(slog.NewTextHandler(&log, nil))
		v := newVerifier(t, cfg)
		token := p.token(t, "k", map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()})

		refuseAs(t, v, token, chat.ErrUnavailable, resultUnavailable)
		err := v.Ready(t.Context())
		if err == nil || !strings.Contains(err.Error(), "connection refused") || !strings.Contains(err.Error(), "id.example") {
			t.Errorf("Ready: %v", err)
		}
		if got := log.String(); !strings.Contains(got, "level=ERROR") || !strings.Contains(got, "connection refused") {
			t.Errorf("logged: %s", got)
		}
		if strings.Contains(log.String()+err.Error(), "hush") {
			t.Errorf("a password is shown: %v\n%s", err, log.String())
		}
		if metric(t, registry, "dozaar_auth_key_refreshes_total", "result=failed,source=url") != 1 || metric(t, registry, "dozaar_auth_keys", "source=url") != 0 {
			t.Error("not counted")
		}

		running(t, v)
		time.Sleep(time.Hour)
		if got := server.count(); got > 150 {
			t.Errorf("asked %d times in an hour", got)
		}
		server.goAway(nil)
		time.Sleep(30 * time.Second) // the longest that it waits between two attempts
		accept(t, v, token)
		if err := v.Ready(t.Context()); err != nil {
			t.Errorf("Ready: %v", err)
		}
		if metric(t, registry, "dozaar_auth_keys", "source=url") != 1 {
			t.Error("the key is not counted")
		}
	})
}

func TestKeyServerAwayLater(t *testing.T) {
	p := freshPair(t, ES256)
	for name, fail := range map[string]func(*issuer){
		"no connection":      func(i *issuer) { i.away = errors.New("connection refused") },
		"an error":           func(i *issuer) { i.status = http.StatusInternalServerError },
		"a page, not keys":   func(i *issuer) { i.keys = "<html>" },
		"an empty set":       func(i *issuer) { i.keys = `{"keys":[]}` },
		"never an answer":    func(i *issuer) { i.slow = time.Hour },
		"an endless answer":  func(i *issuer) { i.keys = strings.Repeat(" ", 2*maxKeySetBytes) },
		"a redirect":         func(i *issuer) { i.status = http.StatusFound },
		"only useless keys":  func(i *issuer) { i.keys = `{"keys":[{"kty":"oct","k":"x"}]}` },
		"another kind of it": func(i *issuer) { i.status = http.StatusNoContent },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				registry := prometheus.NewRegistry()
				server := &issuer{keys: jwks(t, p.jwk(t, "k", nil))}
				cfg := server.config()
				cfg.Registerer = registry
				v := newVerifier(t, cfg)
				running(t, v)
				token := p.token(t, "k", map[string]any{"exp": time.Now().Add(48 * time.Hour).Unix()})
				server.mu.Lock()
				published := server.keys
				fail(server)
				server.mu.Unlock()

				time.Sleep(DefaultMaxKeyAge - time.Second)
				accept(t, v, token)
				if metric(t, registry, "dozaar_auth_key_refreshes_total", "result=failed,source=url") == 0 {
					t.Error("no failure is counted")
				}
				// From the last success, which was at the start, the keys go on for MaxKeyAge.
				time.Sleep(time.Minute)
				refuseAs(t, v, token, chat.ErrUnavailable, resultUnavailable)
				if err := v.Ready(t.Context()); err == nil {
					t.Error("ready without keys")
				}
				if got := metric(t, registry, "dozaar_auth_keys", "source=url"); got != 0 {
					t.Errorf("%v keys in force", got)
				}
				server.mu.Lock()
				server.keys, server.status, server.away, server.slow = published, 0, nil, 0
				server.mu.Unlock()
				time.Sleep(time.Minute)
				accept(t, v, token)
			})
		})
	}
}

// Over a real connection: the client that New makes follows no redirect and leaves nothing open (TestMain
// looks for goroutines).
func TestOverHTTP(t *testing.T) {
	p := freshPair(t, RS256)
	elsewhere := 0
	mux := http.NewServeMux()
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, jwks(t, p.jwk(t, "k", nil))) })
	mux.HandleFunc("/elsewhere", func(http.ResponseWriter, *http.Request) { elsewhere++ })
	mux.Handle("/moved", http.RedirectHandler("/elsewhere", http.StatusFound))
	server := httptest.NewServer(mux)
	defer server.Close()

	v := newVerifier(t, Config{JWKSURL: server.URL + "/keys"})
	running(t, v)
	accept(t, v, p.token(t, "k", nil))

	moved := newVerifier(t, Config{JWKSURL: server.URL + "/moved"})
	refuseAs(t, moved, p.token(t, "k", nil), chat.ErrUnavailable, resultUnavailable)
	if err := moved.Ready(t.Context()); elsewhere != 0 || err == nil || !strings.Contains(err.Error(), "302") {
		t.Errorf("redirect followed %d times; %v", elsewhere, err)
	}
}

func TestFileAndURLTogether(t *testing.T) {
	filed, published := freshPair(t, ES256), freshPair(t, ES256)
	synctest.Test(t, func(t *testing.T) {
		server := &issuer{keys: jwks(t, published.jwk(t, "k", nil))}
		cfg := server.config()
		cfg.KeyFile = keyFile(t, jwks(t, filed.jwk(t, "f", nil)))
		cfg.Secret = []byte(someSecret)
		v := newVerifier(t, cfg)
		accept(t, v, filed.token(t, "f", nil))
		accept(t, v, published.token(t, "k", nil))
		accept(t, v, hs256(t, body(nil)))
		refuseAs(t, v, filed.token(t, "k", nil), chat.ErrUnauthorized, resultSignature)
	})
}

func TestRunWithoutKeySets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVerifier(t, Config{Secret: []byte(someSecret)})
		running(t, v)
		time.Sleep(time.Hour)
		if err := v.Ready(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
