// Package store holds what the backends under it have in common: how their operations are measured.
//
// A backend is a package of its own (sqlite), passes the suite in storetest, and is used through
// interfaces that its callers declare.
package store

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dozaar/dozaar/pkg/chat"
)

// Operations measures a backend's operations, waiting for the engine included:
//
//	dozaar_store_operation_seconds{operation}           how long each took, failed ones too
//	dozaar_store_operation_failures_total{operation}    those that failed by the store's own fault
//
// An operation is the snake_case name of the method.
type Operations struct {
	seconds  *prometheus.HistogramVec
	failures *prometheus.CounterVec
}

// NewOperations registers the metrics, or takes up those that an earlier store registered there.
// A nil registerer measures for nobody.
func NewOperations(registerer prometheus.Registerer) (*Operations, error) {
	o := &Operations{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "dozaar_store_operation_seconds",
			Help:    "How long the store's operations took.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"operation"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dozaar_store_operation_failures_total",
			Help: "Operations that the store could not do. Not found, conflict and a caller that gave up are no failures.",
		}, []string{"operation"}),
	}
	var err error
	if o.seconds, err = register(registerer, o.seconds); err != nil {
		return nil, err
	}
	o.failures, err = register(registerer, o.failures)
	return o, err
}

func register[C prometheus.Collector](registerer prometheus.Registerer, c C) (C, error) {
	if registerer == nil {
		return c, nil
	}
	err := registerer.Register(c)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if earlier, ok := already.ExistingCollector.(C); ok {
			return earlier, nil
		}
	}
	return c, err
}

// Measure runs one operation and passes its error on.
func (o *Operations) Measure(operation string, run func() error) error {
	start := time.Now()
	err := run()
	o.seconds.WithLabelValues(operation).Observe(time.Since(start).Seconds())
	if failed(err) {
		o.failures.WithLabelValues(operation).Inc()
	}
	return err
}

func failed(err error) bool {
	return err != nil && !errors.Is(err, chat.ErrNotFound) && !errors.Is(err, chat.ErrConflict) &&
		!errors.Is(err, context.Canceled)
}
