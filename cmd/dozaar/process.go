package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dozaar/dozaar/pkg/observe"
)

// process is what every role stands on: its settings, where it tells what it does, and what is to be
// stopped, in reverse order of building.
type process struct {
	cfg      Config
	instance string // this process's name in Redis and Kafka: never used by two boots
	out      io.Writer
	log      *slog.Logger
	metrics  *prometheus.Registry
	health   *observe.Health
	life     *observe.Lifecycle
	started  atomic.Bool // every part is built
}

func newProcess(cfg Config, out, logs io.Writer) (*process, error) {
	log, err := observe.NewLogger(logs, cfg.Process.LogFormat, cfg.Process.LogLevel)
	if err != nil {
		return nil, err
	}
	b := currentBuild()
	p := &process{
		cfg:      cfg,
		instance: instanceName(),
		out:      out,
		log:      log,
		metrics:  observe.NewRegistry(b.Version, b.Revision),
		health:   observe.NewHealth(),
		life:     observe.NewLifecycle(log, cfg.Process.ShutdownTimeout),
	}
	p.health.Add("started", func(context.Context) error {
		if !p.started.Load() {
			return errors.New("still starting")
		}
		return nil
	})
	admin, err := observe.NewAdmin(observe.AdminConfig{
		Listen: cfg.Process.AdminListen, Health: p.health, Gatherer: p.metrics, Logger: log,
	})
	if err != nil {
		return nil, fmt.Errorf("DOZAAR_ADMIN_LISTEN: %w", err)
	}
	p.life.Go("admin server", admin.Run)
	return p, nil
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
		p.log.Info("stopping: no new sockets; what is in flight is finished", "at_most", p.cfg.Process.ShutdownTimeout)
	})
	defer stopping()
	err := p.life.Wait(ctx)
	p.log.Info("stopped", "error", err)
	return err
}
