package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dozaar/dozaar/pkg/tracing"
)

type producerMetrics struct {
	duration    *prometheus.HistogramVec
	produced    *prometheus.CounterVec
	failures    *prometheus.CounterVec
	deadLetters *prometheus.CounterVec
}

func newProducerMetrics(r prometheus.Registerer) (*producerMetrics, error) {
	duration, err1 := register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "dozaar_kafka_produce_duration_seconds",
		Help:    "From a publish to the acknowledgement of all in-sync replicas.",
		Buckets: []float64{.0005, .001, .002, .004, .008, .016, .032, .064, .128, .256, .512, 1, 2, 5, 10},
	}, []string{"topic"}))
	produced, err2 := register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dozaar_kafka_produced_records_total",
		Help: "Records that all in-sync replicas acknowledged.",
	}, []string{"topic"}))
	failures, err3 := register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dozaar_kafka_produce_failures_total",
		Help: "Publishes that failed or whose outcome was not learned in time.",
	}, []string{"topic"}))
	deadLetters, err4 := register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dozaar_kafka_dead_letters_total",
		Help: "Records put into chat.deadletter, by the topic they came from.",
	}, []string{"topic"}))
	return &producerMetrics{duration: duration, produced: produced, failures: failures, deadLetters: deadLetters},
		errors.Join(err1, err2, err3, err4)
}

func (m *producerMetrics) published(ctx context.Context, topic string, took time.Duration) {
	tracing.Observe(ctx, m.duration.WithLabelValues(topic), took.Seconds())
	m.produced.WithLabelValues(topic).Inc()
}

func (m *producerMetrics) failed(topic string) { m.failures.WithLabelValues(topic).Inc() }

type consumerMetrics struct {
	lag            *prometheus.GaugeVec   // group, topic, partition
	lagSeconds     *prometheus.GaugeVec   // group, topic, partition
	held           *prometheus.GaugeVec   // group, topic, partition
	processed      *prometheus.CounterVec // group, topic
	rebalances     *prometheus.CounterVec // group, event
	commitFailures *prometheus.CounterVec // group
	outOfLog       *prometheus.CounterVec // group
}

func newConsumerMetrics(r prometheus.Registerer) (*consumerMetrics, error) {
	lag, err1 := register(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "dozaar_kafka_consumer_lag_records",
		Help: "Records of an assigned partition that are not done yet.",
	}, []string{"group", "topic", "partition"}))
	lagSeconds, err6 := register(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "dozaar_kafka_consumer_lag_seconds",
		Help: "Age of the oldest record of an assigned partition that is not done, by the producer's clock; 0 where all are.",
	}, []string{"group", "topic", "partition"}))
	held, err7 := register(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "dozaar_kafka_consumer_held_records",
		Help: "Records of an assigned partition that are in flight: fetched and not done yet.",
	}, []string{"group", "topic", "partition"}))
	processed, err2 := register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dozaar_kafka_processed_records_total",
		Help: "Records that a worker has finished, redelivered ones included.",
	}, []string{"group", "topic"}))
	rebalances, err3 := register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dozaar_kafka_rebalanced_partitions_total",
		Help: "Partitions that were assigned, revoked or lost.",
	}, []string{"group", "event"}))
	commitFailures, err4 := register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dozaar_kafka_commit_failures_total",
		Help: "Commits that failed; what they were for is committed later, or redelivered.",
	}, []string{"group"}))
	outOfLog, err5 := register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dozaar_kafka_offsets_out_of_log_total",
		Help: "Committed offsets that were missing or outside of the log. The consumer stopped.",
	}, []string{"group"}))
	return &consumerMetrics{lag, lagSeconds, held, processed, rebalances, commitFailures, outOfLog}, errors.Join(err1, err2, err3, err4, err5, err6, err7)
}
