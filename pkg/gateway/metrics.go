package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/tracing"
)

type metrics struct {
	refused       *prometheus.CounterVec
	events        *prometheus.CounterVec
	eventSeconds  *prometheus.HistogramVec
	deliveries    prometheus.Counter
	latency       prometheus.Histogram
	notifications prometheus.Counter
	duplicates    prometheus.Counter
	catchUps      *prometheus.CounterVec
	replayed      prometheus.Counter
	filled        prometheus.Counter
	fillFailures  prometheus.Counter
	typingLost    prometheus.Counter
	joinsWaiting  prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "dozaar_gateway_" + name, Help: help})
		reg.MustRegister(c)
		return c
	}
	m := &metrics{
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dozaar_gateway_connects_refused_total", Help: "Namespace connects refused, by code."}, []string{"code"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dozaar_gateway_events_total", Help: "Client events handled, by event and by ok, the error's code, or cancelled where the client left in the middle."}, []string{"event", "code"}),
		eventSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "dozaar_gateway_event_seconds", Help: "Time to handle a client event, acknowledgement included.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 13)}, []string{"event"}),
		deliveries: counter("deliveries_total", "new:message events sent to live sockets."),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "dozaar_gateway_send_to_delivered_seconds",
			Help: "From a message's acceptance by its sender's gateway to the moment its frames were handed to the sockets of a room here, " +
				"late ones included. Two machines' clocks are compared: what they differ by is in it, and what would be negative counts as 0.",
			Buckets: []float64{.001, .002, .004, .008, .016, .032, .064, .128, .256, .512, 1, 2, 4, 8, 16, 32, 64, 128}}), // 1: the objective
		notifications: counter("notifications_total", "message:notification events sent."),
		duplicates:    counter("duplicates_dropped_total", "Relayed messages that the room had delivered before."),
		catchUps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dozaar_gateway_catch_ups_total",
			Help: "Joins that said what the client had (afterSeq), by result: recovered, too_much (more was missed than is replayed: the client pages), " +
				"ahead (the client had more than the history), refused (the client's own fault), failed, left (in the middle).",
		}, []string{"result"}),
		replayed:     counter("replayed_total", "Messages replayed from the store to joining sockets."),
		filled:       counter("gap_filled_total", "Messages that a room read from the store because the relay had not brought them."),
		fillFailures: counter("gap_fill_failures_total", "Failed tries to read a gap from the store."),
		typingLost:   counter("typing_lost_total", "Typing changes that could not be relayed."),
	}
	m.joinsWaiting = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "dozaar_gateway_joins_waiting", Help: "Joins that wait for their turn to ask Redis and the store."})
	// What alerts count is there from the start: the first failure is an increase.
	for _, code := range []chat.Code{chat.CodeUnavailable, chat.CodeInternal} {
		m.refused.WithLabelValues(string(code))
		m.events.WithLabelValues("send:message", string(code))
	}
	m.events.WithLabelValues("send:message", "ok")
	for _, result := range []string{"recovered", "too_much", "ahead", "failed"} {
		m.catchUps.WithLabelValues(result)
	}
	reg.MustRegister(m.refused, m.events, m.eventSeconds, m.latency, m.joinsWaiting, m.catchUps)
	return m
}

// observe registers what is read from the gateway itself at each scrape.
func (m *metrics) observe(reg prometheus.Registerer, g *Gateway) {
	gauge := func(name, help string, read func() int) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "dozaar_gateway_" + name, Help: help},
			func() float64 { return float64(read()) }))
	}
	gauge("sessions", "Sockets in the namespace.", g.sessions.size)
	gauge("rooms", "Open rooms.", g.rooms.size)
	gauge("joins_pace", "Joins a second that may begin at present: fewer while the store answers more slowly than it can.",
		func() int { return int(g.turns.pace.Limit()) })
}

// caughtUp counts a join that asked for what was missed.
func (m *metrics) caughtUp(ctx context.Context, asked int64, told joined, err error) {
	m.catchUps.WithLabelValues(catchUpResult(ctx, asked, told, err)).Inc()
}

func catchUpResult(ctx context.Context, asked int64, told joined, err error) string {
	visible := chat.AsError(err)
	switch {
	case err == nil && told.Recovered:
		return "recovered"
	case err == nil && asked > told.LastSeq:
		return "ahead"
	case err == nil:
		return "too_much"
	case ctx.Err() != nil:
		return "left"
	case errors.Is(visible, chat.ErrInternal), errors.Is(visible, chat.ErrUnavailable):
		return "failed"
	}
	return "refused"
}

// delivered counts a message that a room has handed to so many live sockets.
func (m *metrics) delivered(ctx context.Context, message chat.Message, sockets int) {
	if sockets == 0 {
		return
	}
	m.deliveries.Add(float64(sockets))
	tracing.Observe(ctx, m.latency, max(0, time.Since(message.CreatedAt).Seconds()))
}
