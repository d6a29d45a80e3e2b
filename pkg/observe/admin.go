package observe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// AdminConfig is what the admin server shows, and where.
type AdminConfig struct {
	Listen   string // host:port; port 0 takes a free one
	Health   *Health
	Gatherer prometheus.Gatherer
	Logger   *slog.Logger
}

// Admin is the HTTP server for the people on call: /livez, /readyz, /metrics and /debug/pprof. It has
// no authentication: it belongs on a loopback or internal address.
type Admin struct {
	listener net.Listener
	server   *http.Server
}

// NewAdmin takes the address, so that a port that is taken is an error at once. Run serves it.
//
//nolint:contextcheck // to take an address is a matter of a moment
func NewAdmin(cfg AdminConfig) (*Admin, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("admin server: %w", err)
	}
	return &Admin{
		listener: listener,
		server: &http.Server{
			Handler:           adminHandler(cfg),
			ReadHeaderTimeout: 5 * time.Second,
			IdleTimeout:       time.Minute,
			MaxHeaderBytes:    16 << 10,
			ErrorLog:          slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelWarn),
			// No ReadTimeout, no WriteTimeout: a CPU profile takes as long as was asked for.
		},
	}, nil
}

// Addr is where the server listens.
func (a *Admin) Addr() net.Addr { return a.listener.Addr() }

// Run serves until ctx ends.
func (a *Admin) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- a.server.Serve(a.listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("admin server: %w", err)
	case <-ctx.Done():
	}
	// A running profile is not worth waiting for.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if a.server.Shutdown(grace) != nil {
		_ = a.server.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("admin server: %w", err)
	}
	return nil
}

// Close gives the address back if Run was never called.
func (a *Admin) Close() error { return a.server.Close() }

func adminHandler(cfg AdminConfig) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]bool{"live": true})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		status := cfg.Health.Status(r.Context())
		code := http.StatusOK
		if !status.Ready {
			code = http.StatusServiceUnavailable
		}
		writeJSON(w, code, status)
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(cfg.Gatherer, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelError),
		EnableOpenMetrics:   true,
		MaxRequestsInFlight: 4,
		Timeout:             10 * time.Second,
	}))
	// /debug/pprof/cmdline is left out on purpose: a secret may have been given as a flag.
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/cmdline", http.NotFound)
	return mux
}

func writeJSON(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the client hung up: nobody to tell
}
