package relay

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/dozaar/dozaar/pkg/metric"
)

type senderMetrics struct{ sent *prometheus.CounterVec }

func newSenderMetrics(reg prometheus.Registerer) senderMetrics {
	return senderMetrics{metric.Registered(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dozaar_relay_sent_envelopes_total",
		Help: "Envelopes sent to gateways: ok, failed (Redis did not take them), gone (the gateway's stream is not there).",
	}, []string{"result"}))}
}

type receiverMetrics struct {
	received   prometheus.Counter
	duplicates prometheus.Counter
	resyncs    *prometheus.CounterVec
	lag        prometheus.Histogram
}

func newReceiverMetrics(reg prometheus.Registerer) receiverMetrics {
	return receiverMetrics{
		received: metric.Registered(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dozaar_relay_received_envelopes_total",
			Help: "Envelopes handed to the gateway.",
		})),
		duplicates: metric.Registered(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dozaar_relay_duplicate_entries_total",
			Help: "Stream entries dropped because a retry appended them twice.",
		})),
		resyncs: metric.Registered(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dozaar_relay_resyncs_total",
			Help: "Times the gateway was told that it may have missed something, by reason.",
		}, []string{"reason"})),
		lag: metric.Registered(reg, prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "dozaar_relay_lag_seconds",
			Help:    "Age of a stream entry when the gateway takes it, by the gateway's clock and Redis's: what their difference adds or hides is in it.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		})),
	}
}
