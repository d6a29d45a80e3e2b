package presence

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type leasesMetrics struct {
	held      *prometheus.GaugeVec
	seconds   prometheus.Histogram
	forgotten prometheus.Counter
}

func newLeasesMetrics(reg prometheus.Registerer) leasesMetrics {
	return leasesMetrics{
		held: registered(reg, prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "dozaar_presence_leases",
			Help: "Leases that this gateway holds, by kind: user, room.",
		}, []string{"kind"})),
		seconds: registered(reg, prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "dozaar_presence_heartbeat_seconds",
			Help:    "How long one round of heartbeats took.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		})),
		forgotten: registered(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dozaar_presence_forgotten_total",
			Help: "Times leases were written again because Redis had lost them or was out of reach.",
		})),
	}
}

type sweeperMetrics struct{ offline, retold prometheus.Counter }

func newSweeperMetrics(reg prometheus.Registerer) sweeperMetrics {
	return sweeperMetrics{
		offline: registered(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dozaar_presence_swept_users_total",
			Help: "Users taken offline because their last lease was over.",
		})),
		retold: registered(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dozaar_presence_retold_changes_total",
			Help: "Changes announced by a sweeper because nobody had confirmed them.",
		})),
	}
}

// registered registers a collector, or returns the one that another part of this process registered
// under the same name.
func registered[C prometheus.Collector](reg prometheus.Registerer, c C) C {
	if reg == nil {
		return c
	}
	err := reg.Register(c)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		return already.ExistingCollector.(C)
	}
	if err != nil {
		panic(err) // a name or help text that contradicts another one: a fault of the program
	}
	return c
}
