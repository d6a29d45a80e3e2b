package redis

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"

	"github.com/dozaar/dozaar/pkg/metric"
)

// health watches every command for whether Redis served it, and tells whoever has to look for another master
// when it did not.
type health struct {
	up     prometheus.Gauge
	errors prometheus.Counter
	notice func(served bool)
	failed atomic.Int64 // when a command was last not served, in Unix milliseconds
}

// downFor is how long a command that was not served counts. One of a cluster's nodes may be away while the
// others answer all the time: that must be seen by whoever looks every few seconds.
const downFor = 5 * time.Second

func newHealth(reg prometheus.Registerer, notice func(served bool)) *health {
	return &health{
		up: metric.Registered(reg, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "dozaar_redis_up",
			Help: "1 while Redis serves every command, 0 for five seconds after the last one that it did not serve.",
		})),
		errors: metric.Registered(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dozaar_redis_errors_total",
			Help: "Commands and pipelines that Redis did not serve, after retries: no answer, no master, or not able to.",
		})),
		notice: notice,
	}
}

// refusals are the answers of a Redis that is there and cannot serve: it loads, is a replica, has lost its
// replicas or a part of its cluster, is full, gives the slot away just now, or cannot write to its disk.
var refusals = [...]string{
	"LOADING", "READONLY", "MASTERDOWN", "NOREPLICAS", "CLUSTERDOWN", "MOVED", "ASK", "TRYAGAIN", "UNBLOCKED", "OOM", "BUSY", "MISCONF",
}

// served says whether a command got what Redis is there for. An error that only says that the command
// was wrong is an answer; one of a Sentinel that knows no master is none.
func served(err error) bool {
	if errors.Is(err, errNoSentinel) {
		return false
	}
	if answer := goredis.Error(nil); !errors.As(err, &answer) {
		return err == nil
	}
	for _, prefix := range refusals {
		if goredis.HasErrorPrefix(err, prefix) {
			return false
		}
	}
	return true
}

func (h *health) note(err error) {
	if errors.Is(err, context.Canceled) || errors.Is(err, goredis.ErrClosed) {
		return // the caller went away; that says nothing of Redis
	}
	now, ok := time.Now().UnixMilli(), served(err)
	switch {
	case !ok:
		h.failed.Store(now)
		h.up.Set(0)
		h.errors.Inc()
	case now-h.failed.Load() > downFor.Milliseconds():
		h.up.Set(1)
	}
	h.notice(ok)
}

func (h *health) DialHook(next goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (h *health) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		err := next(ctx, cmd)
		h.note(err)
		return err
	}
}

func (h *health) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		err := next(ctx, cmds)
		worst := err
		for _, cmd := range cmds { // err is the first one, which may be an answer
			if cmdErr := cmd.Err(); !served(cmdErr) {
				worst = cmdErr
			}
		}
		h.note(worst)
		return err
	}
}
