package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/pkg/store/cassandra"
	"github.com/dozaar/dozaar/schemas"
	"github.com/dozaar/dozaar/schemas/registry"
)

// parsed is a command's configuration as the command line would make it.
func parsed(t *testing.T, args ...string) *allCmd {
	t.Helper()
	var grammar allCmd
	parser, err := kong.New(&grammar, kong.NoDefaultHelp(), kong.Writers(io.Discard, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(args); err != nil {
		t.Fatal(err)
	}
	return &grammar
}

func TestWaitingGoesOnByItself(t *testing.T) {
	var log lockedBuilder
	w := &waiting{log: slog.New(slog.NewTextHandler(&log, nil))}
	away, attempts := fmt.Errorf("nobody there: %w", chat.ErrUnavailable), 0
	err := w.until(t.Context(), "Kafka", func(context.Context) error {
		if attempts++; attempts < 4 {
			if attempts > 1 && (fmt.Sprint(w.state()) != "waiting for Kafka" || !strings.Contains(fmt.Sprint(w.stateOf("Kafka")), "nobody there")) {
				t.Errorf("meanwhile it says %v: %v", w.state(), w.stateOf("Kafka"))
			}
			return away
		}
		return nil
	})
	if err != nil || attempts != 4 || w.state() != nil {
		t.Errorf("%v after %d attempts, and says %v", err, attempts, w.state())
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("it complained %d times in a second: %s", n, log.String())
	}
}

func TestWaitingEndsWhenItIsTold(t *testing.T) {
	w := &waiting{log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	away := fmt.Errorf("nobody there: %w", chat.ErrUnavailable)
	if err := w.until(ctx, "Redis", func(context.Context) error { return away }); !errors.Is(err, away) {
		t.Errorf("%v; want what the engine said last", err)
	}
	// A step that hangs is given up with the context.
	if err := w.until(ctx, "Redis", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }); err == nil {
		t.Error("it did not end")
	}
}

// A command says how long it waits, and what to change that with: at first, and when it gives up.
func TestHowLongACommandWaitsIsTold(t *testing.T) {
	got := dozaar(t, realEngines, "topics", "--wait=2s", "--cassandra-hosts=127.0.0.1:1")
	if got.code != exitFailed || strings.Count(got.stderr, "Cassandra for at most 2s (--wait)") != 2 || !strings.Contains(got.stderr, "dozaar: waited for Cassandra") {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
	got = dozaar(t, realEngines, "archive", "--once", "--wait=2s", "--kafka-brokers=127.0.0.1:1", "--dir", t.TempDir())
	if got.code != exitFailed || !strings.Contains(got.stderr, "dozaar: waited for Kafka for at most 2s (--wait)") {
		t.Errorf("archive: exit code %d: %s", got.code, got.stderr)
	}
}

func TestWhatIsWaitedFor(t *testing.T) {
	away := func(err error) error { return fmt.Errorf("asked: %w: %w", chat.ErrUnavailable, err) }
	for _, tt := range []struct {
		err  error
		pass bool
	}{
		{away(errors.New("connection refused")), true},
		{away(context.DeadlineExceeded), true},
		{errors.New("a fault of this program"), false},
		{kafka.ErrTopics, false},
		{cassandra.ErrSchema, false},
		{fmt.Errorf("open: %w", cassandra.ErrRefused), false},
		{schemas.ErrNotRegistered, false},
		{registry.ErrRefused, false},
		{away(&tls.CertificateVerificationError{Err: errors.New("unknown authority")}), false},
	} {
		if mayPass(tt.err) != tt.pass {
			t.Errorf("%v: is waited for: %t; want %t", tt.err, !tt.pass, tt.pass)
		}
	}
}

// A role whose engines are away is alive and not ready, says what it waits for, and ends at once when it is told.
func TestARoleWaitsForItsEngines(t *testing.T) {
	w := newWorld(t)
	w.everything()
	address := w.kafka.Addr()
	w.kafka.Close()
	deliver := w.start(roleDeliver)
	waits := func(r *role) (what string) {
		for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			checks := r.health.Status(t.Context()).Checks
			if what = checks["started"].Error; what == "waiting for Kafka" && !checks["kafka"].OK && !strings.Contains(checks["kafka"].Error, "not answered") {
				break
			}
		}
		return what
	}
	if what := waits(deliver); what != "waiting for Kafka" {
		t.Fatalf("it says %q", what)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for path, want := range map[string]int{"/livez": 200, "/readyz": 503} {
		answer, err := (&http.Client{Transport: transport}).Get("http://" + deliver.adminAddress.String() + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s: %d; want %d", path, answer.StatusCode, want)
		}
	}
	told := w.start(roleDeliver)
	waits(told)
	told.stop(t)
	w.startKafka("kafka", address)
	ready(t, deliver)
	deliver.stop(t)
}

// All engines that are away are named at once, and each with what it said.
func TestEveryEngineThatIsAwayIsNamed(t *testing.T) {
	w := newWorld(t)
	w.cfg.Cassandra = CassandraConfig{CassandraHosts: []string{"127.0.0.1:1"}, CassandraKeyspace: "dozaar"}
	nobody := "127.0.0.1:1"
	w.brokers, w.redis, w.registry = []string{nobody}, []string{nobody}, "http://user:geheim@"+nobody
	for name, want := range map[string]string{
		roleDeliver:  "kafka, redis, schema registry, started, store",
		rolePresence: "kafka, redis, schema registry, started, store",
	} {
		r := w.start(name)
		var away []string
		for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			away = nil
			for check, result := range r.health.Status(t.Context()).Checks {
				if strings.Contains(result.Error, "geheim") {
					t.Fatalf("%s tells a password: %s", check, result.Error)
				}
				if strings.Contains(result.Error, "connection refused") || check == "started" && strings.HasPrefix(result.Error, "waiting for Cassandra, ") {
					away = append(away, check)
				}
			}
			if slices.Sort(away); strings.Join(away, ", ") == want {
				break
			}
		}
		if got := strings.Join(away, ", "); got != want {
			t.Errorf("%s says that %q are away; want %q: %+v", name, got, want, r.health.Status(t.Context()))
		}
		r.stop(t)
	}
}

// The ids of the schemas are kept: a registry that goes away stops no role that runs.
func TestARegistryThatGoesAway(t *testing.T) {
	w := newWorld(t)
	w.everything()
	behind, err := url.Parse(w.registry)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Transport: transport,
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(behind) },
	})
	defer proxy.Close()
	direct := w.registry
	w.registry = proxy.URL
	deliver := w.start(roleDeliver)
	ready(t, deliver)
	w.registry = direct
	proxy.Close()
	conversation, user := w.conversation()
	w.publish(draft("a").New(conversation, user, time.Now()))
	if got := w.history(conversation, 1); got != "a" {
		t.Errorf("history %q", got)
	}
	deliver.stop(t)
}

func TestATakenPortIsToldClearly(t *testing.T) {
	w := newWorld(t)
	first, err := newProcess(w.cfg, roleDeliver, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer first.life.Stop() //nolint:errcheck // nothing runs in it
	w.cfg.Process.AdminListen = first.adminAddress.String()
	_, err = newProcess(w.cfg, rolePresence, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "DOZAAR_ADMIN_LISTEN") || !strings.Contains(err.Error(), "taken by another process") {
		t.Errorf("%v", err)
	}
}

type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuilder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
