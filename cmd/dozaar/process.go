package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/dozaar/dozaar/pkg/observe"
)

// process is what every role stands on: its settings, where it tells what it does, and what is to be
// stopped, in reverse order of building.
type process struct {
	cfg      Config
	role     string
	instance string // this process's name in Redis and Kafka: never used by two boots
	out      io.Writer
	log      *slog.Logger
	metrics  *prometheus.Registry
	health   *observe.Health
	life     *observe.Lifecycle
	traces   trace.TracerProvider // nil: nothing is traced
	waiting  *waiting
	started  atomic.Bool // every part is built

	adminAddress net.Addr
}

func newProcess(cfg Config, role string, out, logs io.Writer) (*process, error) {
	log, err := observe.NewLogger(logs, cfg.Process.LogFormat, cfg.Process.LogLevel)
	if err != nil {
		return nil, err
	}
	b := currentBuild()
	p := &process{
		cfg:      cfg,
		role:     role,
		instance: instanceName(),
		out:      out,
		log:      log,
		metrics:  observe.NewRegistry(b.Version, b.Revision),
		health:   observe.NewHealth(),
		life:     observe.NewLifecycle(log, cfg.Process.ShutdownTimeout),
	}
	p.metrics.MustRegister(observe.NewReady(p.health))
	if err := p.startTraces(b); err != nil {
		return nil, err
	}
	p.waiting = &waiting{log: log}
	p.health.Add("started", func(context.Context) error {
		if !p.started.Load() {
			return cmp.Or(p.waiting.state(), errors.New("still starting"))
		}
		return nil
	})
	admin, err := observe.NewAdmin(observe.AdminConfig{
		Listen: cfg.Process.AdminListen, Health: p.health, Gatherer: p.metrics, Logger: log,
	})
	if err != nil {
		return nil, listening("admin-listen", cfg.Process.AdminListen, err)
	}
	p.adminAddress = admin.Addr()
	p.life.Go("admin server", admin.Run)
	return p, nil
}

// listening explains why an address could not be taken. On one machine every role but one needs other ones.
func listening(flag, address string, err error) error {
	if !errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s (--%s): %w", variable(flag), flag, err)
	}
	return fmt.Errorf("%s (--%s): %s is taken by another process, perhaps another role on this machine; give each its own, or port 0 for a free one",
		variable(flag), flag, address)
}

func (p *process) telling() telling { return telling{p.instance, p.log, p.metrics, p.traces} }

// startTraces is undone last: what stops may still be traced.
func (p *process) startTraces(b build) error {
	if p.cfg.Process.TraceURL == "" {
		return nil
	}
	traces, err := observe.NewTraces(context.Background(), observe.TraceConfig{
		URL: string(p.cfg.Process.TraceURL), Ratio: p.cfg.Process.TraceRatio,
		Service: "dozaar-" + p.role, Instance: p.instance, Version: b.Version, Logger: p.log,
	})
	if err != nil {
		return err
	}
	p.traces = traces
	p.life.OnStop("traces", func(ctx context.Context) error {
		if err := traces.Shutdown(ctx); err != nil {
			p.log.Warn("the last traces could not be sent", "error", err)
		}
		return nil
	})
	return nil
}

// tracer is nil where nothing is traced.
func (t telling) tracer() trace.Tracer {
	if t.traces == nil {
		return nil
	}
	return t.traces.Tracer("github.com/dozaar/dozaar")
}

func instanceName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	var boot [4]byte
	_, _ = rand.Read(boot[:]) // never fails, by its contract
	return host + "-" + hex.EncodeToString(boot[:])
}

// run builds the parts in order and then waits until ctx ends or a part has failed. Whatever was
// built is stopped, also when building fails.
func (p *process) run(ctx context.Context, build func(ctx context.Context) error) error {
	if err := build(ctx); err != nil {
		if stopping := p.life.Stop(); stopping != nil {
			p.log.Warn("stopping what was started already", "error", stopping)
		}
		if ctx.Err() != nil {
			return nil // told to stop while starting
		}
		return err
	}
	p.started.Store(true)
	stopping := context.AfterFunc(ctx, func() {
		p.health.Drain()
		p.log.Info("stopping: nothing new is taken; what is in flight is finished", "at_most", p.cfg.Process.ShutdownTimeout)
	})
	defer stopping()
	err := p.life.Wait(ctx)
	p.log.Info("stopped", "error", err)
	return err
}
