package presence

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/metric"
)

// record puts changes that were told into Kafka, for those who count. People do not wait for it: while Kafka is away so
// many changes are held back, and tried until they are there.
type record struct {
	publisher Publisher
	queue     chan chat.PresenceChange
	log       *slog.Logger
	total     *prometheus.CounterVec
}

// At most so many changes are held back, and so many published at once; when the process ends, what is held back has so
// long.
const (
	recordQueue   = 10_000
	recordWorkers = 16
	recordEnd     = 2 * time.Second
)

func newRecord(cfg Config) *record {
	return &record{
		publisher: cfg.Publisher, queue: make(chan chat.PresenceChange, recordQueue), log: cfg.Logger,
		total: metric.Registered(cfg.Registerer, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dozaar_presence_records_total",
			Help: "Changes of presence for Kafka, by result: published; dropped, because too many were held back or the process ended.",
		}, []string{"result"})),
	}
}

// add never blocks.
func (r *record) add(change chat.PresenceChange) {
	select {
	case r.queue <- change:
	default:
		r.total.WithLabelValues("dropped").Inc()
	}
}

func (r *record) run(ctx context.Context) error {
	var g errgroup.Group
	for range recordWorkers {
		g.Go(func() error {
			for {
				select {
				case <-ctx.Done():
					r.end(ctx)
					return nil
				case change := <-r.queue:
					if !r.publish(ctx, change) {
						r.end(ctx, change)
						return nil
					}
				}
			}
		})
	}
	return g.Wait()
}

// end publishes what is left, that of a worker that was interrupted first.
func (r *record) end(ctx context.Context, left ...chat.PresenceChange) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordEnd)
	defer cancel()
	for {
		for _, change := range left {
			if !r.publish(ctx, change) {
				r.total.WithLabelValues("dropped").Inc()
			}
		}
		select {
		case change := <-r.queue:
			left = []chat.PresenceChange{change}
		default:
			return
		}
	}
}

// publish tries until Kafka has it or will not have it; false: ctx ended before.
func (r *record) publish(ctx context.Context, change chat.PresenceChange) bool {
	pauses := backoff.NewExponentialBackOff()
	pauses.MaxInterval = 5 * time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := r.publisher.PublishPresence(ctx, change)
		if err != nil && !errors.Is(err, chat.ErrUnavailable) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(pauses), backoff.WithMaxElapsedTime(0))
	switch {
	case err == nil:
		r.total.WithLabelValues("published").Inc()
	case ctx.Err() != nil:
		return false
	default:
		r.total.WithLabelValues("dropped").Inc()
		r.log.Error("presence: a change cannot be put into Kafka", "error", err)
	}
	return true
}
