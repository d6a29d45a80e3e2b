package presence

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/dozaar/dozaar/pkg/metric"
)

type leasesMetrics struct {
	held      *prometheus.GaugeVec
	seconds   prometheus.Histogram
	forgotten prometheus.Counter
}

func newLeasesMetrics(reg prometheus.Registerer) leasesMetrics {
	return leasesMetrics{
		held: metric.Registered(reg, prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "dozaar_presence_leases",
			Help: "Leases that this gateway holds, by kind: user, room.",
		}, []string{"kind"})),
		seconds: metric.Registered(reg, prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "dozaar_presence_heartbeat_seconds",
			Help:    "How long one round of heartbeats took.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		})),
		forgotten: metric.Registered(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dozaar_presence_forgotten_total",
			Help: "Times leases were written again because Redis had lost them or was out of reach.",
		})),
	}
}

type sweeperMetrics struct {
	seconds         prometheus.Histogram
	offline, retold prometheus.Counter
}

func newSweeperMetrics(reg prometheus.Registerer) sweeperMetrics {
	return sweeperMetrics{
		seconds: metric.Registered(reg, prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "dozaar_presence_sweep_seconds",
			Help:    "How long one sweep over all shards took, failed ones too.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		})),
		offline: metric.Registered(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dozaar_presence_swept_users_total",
			Help: "Users taken offline because their last lease was over.",
		})),
		retold: metric.Registered(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dozaar_presence_retold_changes_total",
			Help: "Changes announced by a sweeper because nobody had confirmed them.",
		})),
	}
}
