package redis

import (
	"context"
	"errors"
	"net"

	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"

	"github.com/dozaar/dozaar/pkg/metric"
)

// health watches every command for whether Redis was there to answer it. An error that Redis itself
// sent is an answer.
type health struct {
	up     prometheus.Gauge
	errors prometheus.Counter
}

func newHealth(reg prometheus.Registerer) *health {
	return &health{
		up: metric.Registered(reg, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "dozaar_redis_up",
			Help: "1 while the last command to Redis was answered, 0 while it was not.",
		})),
		errors: metric.Registered(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dozaar_redis_errors_total",
			Help: "Commands and pipelines that Redis did not answer, after retries.",
		})),
	}
}

func (h *health) note(err error) {
	var answer goredis.Error
	switch {
	case err == nil, errors.As(err, &answer):
		h.up.Set(1)
	case errors.Is(err, context.Canceled): // the caller went away; that says nothing of Redis
	default:
		h.up.Set(0)
		h.errors.Inc()
	}
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
		h.note(err)
		return err
	}
}
