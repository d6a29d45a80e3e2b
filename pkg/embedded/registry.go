package embedded

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sr/srfake"
)

// RegistryConfig is the embedded schema registry's configuration.
type RegistryConfig struct {
	Dir    string       // its folder, made if missing; no other process may use it
	Listen string       // host:port on the loopback; default 127.0.0.1 and a free port
	Logger *slog.Logger // default: discard
}

// Registry is a schema registry in this process, with Confluent's HTTP interface. Every change is in a
// journal on disk before it is answered, and the journal is repeated at the next start, so that a schema
// keeps its id for ever. Of the levels of compatibility it holds subjects to FULL_TRANSITIVE; other levels take anything.
type Registry struct {
	journal *journal
	ln      net.Listener
	server  *http.Server
	serving sync.WaitGroup
	log     *slog.Logger
}

const maxRegistryBody = 1 << 20

// StartRegistry starts a registry with what its folder's journal says. Close ends it.
func StartRegistry(cfg RegistryConfig) (*Registry, error) {
	if cfg.Dir == "" {
		return nil, errors.New("embedded schema registry: no data folder is given")
	}
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r, err := newRegistry(cfg)
	if err != nil {
		return nil, fmt.Errorf("embedded schema registry: %w", err)
	}
	r.serving.Go(func() {
		if err := r.server.Serve(r.ln); !errors.Is(err, http.ErrServerClosed) {
			r.log.Error("the embedded schema registry stopped", "error", err)
		}
	})
	return r, nil
}

func newRegistry(cfg RegistryConfig) (*Registry, error) {
	if err := loopback(cfg.Listen); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	handler := srfake.NewRegistry().Handler()
	journal, err := openJournal(filepath.Join(cfg.Dir, "registry.journal"), func(c change) error {
		if a := answerTo(handler, c.request()); !a.ok() {
			return fmt.Errorf("%s %s was answered with %d", c.Method, c.URL, a.code)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	ln, err := listen(cfg.Listen)
	if err != nil {
		return nil, errors.Join(err, journal.close())
	}
	r := &Registry{journal: journal, ln: ln, log: cfg.Logger}
	r.server = &http.Server{
		Handler:           answering(r.record(handler)),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       time.Minute,
		ErrorLog:          slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelWarn),
	}
	return r, nil
}

// URL is where it listens.
func (r *Registry) URL() string { return "http://" + r.ln.Addr().String() }

// Close answers what is under way, for two seconds at most, and ends the registry.
func (r *Registry) Close() error {
	grace, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if r.server.Shutdown(grace) != nil {
		_ = r.server.Close()
	}
	r.serving.Wait()
	return r.journal.close()
}

// answering adds /livez and /readyz: it is ready as soon as it listens.
func answering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/livez" && req.URL.Path != "/readyz" {
			next.ServeHTTP(w, req)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "{\"ready\":true}\n")
	})
}

// record wraps the registry: what changes it is in the journal before the client hears of it.
func (r *Registry) record(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !mayChange(req) {
			next.ServeHTTP(w, req)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxRegistryBody))
		if err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		if why := incompatible(next, req, body); why != "" {
			w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
			w.WriteHeader(http.StatusConflict)
			_ = json.NewEncoder(w).Encode(map[string]any{"error_code": http.StatusConflict, "message": why})
			return
		}
		a, err := r.change(next, change{Method: req.Method, URL: req.URL.RequestURI(), Body: body})
		if err == nil && req.Method == http.MethodPost && a.code == http.StatusNotFound {
			a, err = r.revive(next, a, change{Method: req.Method, URL: req.URL.RequestURI(), Body: body})
		}
		if err != nil {
			r.log.Error("cannot write the schema registry's journal", "error", err)
			http.Error(w, `{"error_code":50001,"message":"the registry cannot write its journal"}`, http.StatusInternalServerError)
			return
		}
		a.copyTo(w)
	})
}

// change has the registry behind do something, and writes it into the journal if it did.
func (r *Registry) change(next http.Handler, c change) (a *answer, err error) {
	err = r.journal.do(c, func() bool {
		a = answerTo(next, c.request())
		return a.ok()
	})
	return a, err
}

// revive registers under a subject that was deleted, as Confluent's registry does: the one behind wants it deleted for good
// before. Ids stay what they are, and the subject's level stays too. It answers with refused where the subject was not deleted.
func (r *Registry) revive(next http.Handler, refused *answer, c change) (*answer, error) {
	subject := strings.TrimSuffix(c.URL, "/versions")
	config := strings.Replace(subject, "/subjects/", "/config/", 1)
	level := answerTo(next, (change{Method: http.MethodGet, URL: config + "?defaultToGlobal=false"}).request())
	gone, err := r.change(next, change{Method: http.MethodDelete, URL: subject + "?permanent=true"})
	if err != nil || !gone.ok() {
		return refused, err
	}
	if level.ok() {
		var set struct{ CompatibilityLevel string }
		if err := json.Unmarshal(level.body.Bytes(), &set); err != nil {
			return nil, err
		}
		body, err := json.Marshal(map[string]string{"compatibility": set.CompatibilityLevel})
		if err != nil {
			return nil, err
		}
		if _, err := r.change(next, change{Method: http.MethodPut, URL: config, Body: body}); err != nil {
			return nil, err
		}
	}
	return r.change(next, c)
}

// mayChange tells the requests that change the registry from those that only ask.
func mayChange(req *http.Request) bool {
	switch req.Method {
	case http.MethodPut, http.MethodDelete:
		return true
	case http.MethodPost:
		return strings.Contains(req.URL.Path, "/subjects/") && strings.HasSuffix(req.URL.Path, "/versions") &&
			!strings.Contains(req.URL.Path, "/compatibility/")
	}
	return false
}

// answer is a response that is held back until the journal has the request.
type answer struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func answerTo(h http.Handler, req *http.Request) *answer {
	a := &answer{header: make(http.Header), code: http.StatusOK}
	h.ServeHTTP(a, req)
	return a
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(code int)        { a.code = code }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }
func (a *answer) ok() bool                    { return a.code < 300 }

func (a *answer) copyTo(w http.ResponseWriter) {
	for key, values := range a.header {
		w.Header()[key] = values
	}
	w.WriteHeader(a.code)
	_, _ = w.Write(a.body.Bytes())
}
