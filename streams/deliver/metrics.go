package deliver

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	numbered            prometheus.Counter
	duplicates          prometheus.Counter
	conflicts           prometheus.Counter
	bases               *prometheus.CounterVec   // by source
	deadLetters         *prometheus.CounterVec   // by topic, reason
	batchRecords        *prometheus.HistogramVec // by topic
	parked              prometheus.Gauge
	unpublished         prometheus.Gauge
	stepSeconds         *prometheus.HistogramVec // by step, outcome
	producedToStored    prometheus.Histogram
	rebroadcastFailures *prometheus.CounterVec // by topic
}

func newMetrics(registerer prometheus.Registerer) *metrics {
	with := promauto.With(registerer)
	m := &metrics{
		numbered: with.NewCounter(prometheus.CounterOpts{
			Name: "dozaar_deliver_messages_numbered_total",
			Help: "Messages that were given a number and stored, redelivered ones included.",
		}),
		duplicates: with.NewCounter(prometheus.CounterOpts{
			Name: "dozaar_deliver_duplicates_total",
			Help: "Records dropped because their message id occurs earlier in the log.",
		}),
		conflicts: with.NewCounter(prometheus.CounterOpts{
			Name: "dozaar_deliver_conflicts_total",
			Help: "Those duplicates that repeat a client message id with another body.",
		}),
		bases: with.NewCounterVec(prometheus.CounterOpts{
			Name: "dozaar_deliver_bases_total",
			Help: "Slices of a conversation that were numbered, by where their last number was known from: memory, head, row, or none.",
		}, []string{"source"}),
		deadLetters: with.NewCounterVec(prometheus.CounterOpts{
			Name: "dozaar_deliver_dead_letters_total",
			Help: "Records sent to the dead-letter topic, by topic and reason.",
		}, []string{"topic", "reason"}),
		batchRecords: with.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "dozaar_deliver_batch_records",
			Help:    "Records dealt with together: of one conversation, in chat.messages, of one partition elsewhere.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 8),
		}, []string{"topic"}),
		parked: with.NewGauge(prometheus.GaugeOpts{
			Name: "dozaar_deliver_parked_conversations",
			Help: "Conversations that have waited for the store, or for Redis, for longer than they may count as being at work.",
		}),
		unpublished: with.NewGauge(prometheus.GaugeOpts{
			Name: "dozaar_deliver_unpublished_conversations",
			Help: "Conversations whose stored messages have waited for chat.messages.stored for longer than a quarter of a second.",
		}),
		stepSeconds: with.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "dozaar_deliver_step_seconds",
			Help:    "Duration of one attempt of a step that leaves the process (store, relay, decode, dead letter), by step and outcome (ok, error).",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2.5, 10),
		}, []string{"step", "outcome"}),
		producedToStored: with.NewHistogram(prometheus.HistogramOpts{
			Name:    "dozaar_deliver_produced_to_stored_seconds",
			Help:    "From the record's time in Kafka until the message is stored.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 14),
		}),
		rebroadcastFailures: with.NewCounterVec(prometheus.CounterOpts{
			Name: "dozaar_deliver_rebroadcast_failures_total",
			Help: "Slices, and batches of receipts and of changes, whose rebroadcast was given up because Redis was away. The rooms heal themselves.",
		}, []string{"topic"}),
	}
	for _, topic := range Topics() { // there from the beginning: an alert sees the first one
		for _, reason := range []string{undecodable, wrongKey, wrongPartition, invalid} {
			m.deadLetters.WithLabelValues(topic, reason)
		}
	}
	return m
}

func (m *metrics) step(name string, took time.Duration, err error) {
	outcome := "ok"
	if err != nil {
		outcome = "error"
	}
	m.stepSeconds.WithLabelValues(name, outcome).Observe(took.Seconds())
}
