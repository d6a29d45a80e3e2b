package cassandra

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/gocql/gocql"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/dozaar/dozaar/pkg/metric"
	"github.com/dozaar/dozaar/pkg/tracing"
)

// observer has the driver tell of each request that it sends, retries included, and of each connection.
type observer struct {
	seconds  *prometheus.HistogramVec // statement, outcome
	connects *prometheus.CounterVec   // outcome
	tracer   trace.Tracer             // nil: nothing is traced
	labels   sync.Map                 // of statements, by their text: as many as this package has
}

func newObserver(reg prometheus.Registerer, tracer trace.Tracer) *observer {
	return &observer{
		tracer: tracer,
		seconds: metric.Registered(reg, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "dozaar_cassandra_request_seconds",
			Help:    "Duration of one request to a Cassandra node, each try by itself, by the statement's verb and table and by outcome (ok, error).",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 6},
		}, []string{"statement", "outcome"})),
		connects: metric.Registered(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dozaar_cassandra_connects_total",
			Help: "Connections to Cassandra nodes that were tried, by outcome (ok, error).",
		}, []string{"outcome"})),
	}
}

func (o *observer) watch(cluster *gocql.ClusterConfig) {
	cluster.QueryObserver, cluster.BatchObserver, cluster.ConnectObserver = o, o, o
}

// ObserveQuery implements gocql.QueryObserver.
func (o *observer) ObserveQuery(ctx context.Context, q gocql.ObservedQuery) {
	o.request(ctx, o.label(q.Statement), q.Start, q.End, q.Err)
}

// ObserveBatch implements gocql.BatchObserver. A batch is named by its first row, and may have some of other tables (shared).
func (o *observer) ObserveBatch(ctx context.Context, b gocql.ObservedBatch) {
	if len(b.Statements) > 0 {
		o.request(ctx, "batch "+o.label(b.Statements[0]), b.Start, b.End, b.Err)
	}
}

// ObserveConnect implements gocql.ConnectObserver.
func (o *observer) ObserveConnect(c gocql.ObservedConnect) {
	o.connects.WithLabelValues(outcome(c.Err)).Inc()
}

func (o *observer) request(ctx context.Context, statement string, start, end time.Time, err error) {
	tracing.Observe(ctx, o.seconds.WithLabelValues(statement, outcome(err)), end.Sub(start).Seconds())
	if o.tracer == nil || tracing.Sampled(ctx) == nil {
		return
	}
	_, span := o.tracer.Start(ctx, "cassandra "+statement, trace.WithTimestamp(start), trace.WithSpanKind(trace.SpanKindClient))
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	span.End(trace.WithTimestamp(end))
}

func (o *observer) label(statement string) string {
	if known, ok := o.labels.Load(statement); ok {
		return known.(string)
	}
	label := verbAndTable(statement)
	o.labels.Store(statement, label)
	return label
}

// verbAndTable names a statement: "insert messages". What it does not know is "other".
func verbAndTable(statement string) string {
	words := strings.FieldsFunc(statement, func(r rune) bool { return strings.ContainsRune(" \t\r\n(", r) })
	for i, word := range words {
		before := ""
		switch strings.ToUpper(words[0]) {
		case "SELECT", "DELETE":
			before = "FROM"
		case "INSERT":
			before = "INTO"
		case "UPDATE":
			before = "UPDATE"
		}
		if before != "" && strings.EqualFold(word, before) && i+1 < len(words) {
			return strings.ToLower(words[0] + " " + words[i+1])
		}
	}
	return "other"
}

// outcome of a request. What was not applied or not found is an answer.
func outcome(err error) string {
	if err != nil {
		return "error"
	}
	return "ok"
}
