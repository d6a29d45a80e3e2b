package socketio

import (
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of one server. Gauges and counters exist whether or not they are published.
type metrics struct {
	sockets   *prometheus.GaugeVec
	shakes    *prometheus.CounterVec
	connects  prometheus.Counter
	refusals  *prometheus.CounterVec
	closes    *reasonCounter
	overflows prometheus.Counter
	events    prometheus.Counter
	received  prometheus.Counter
	sent      prometheus.Counter
	panics    prometheus.Counter

	polling, websocket atomic.Int64
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "dozaar", Subsystem: "socketio", Name: name, Help: help})
	}
	closes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "dozaar", Subsystem: "socketio", Name: "closes_total",
		Help: "Connections and sockets that ended, by reason.",
	}, []string{"reason"})
	m := &metrics{
		sockets: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "dozaar", Subsystem: "socketio", Name: "connections",
			Help: "Open connections by transport.",
		}, []string{"transport"}),
		shakes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "dozaar", Subsystem: "socketio", Name: "handshakes_total",
			Help: "Handshakes by transport and result: ok, or refused for a limit or because the server stops (refusals_total says why).",
		}, []string{"transport", "result"}),
		connects: counter("connects_total", "Sockets that joined a namespace."),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "dozaar", Subsystem: "socketio", Name: "refusals_total",
			Help: "Requests and CONNECTs that were refused, by what was wrong.",
		}, []string{"why"}),
		closes:    &reasonCounter{vec: closes, known: make(map[string]prometheus.Counter)},
		overflows: counter("send_overflows_total", "Connections closed because more than the send buffer waited for them."),
		events:    counter("events_total", "Events received."),
		received:  counter("received_bytes_total", "Bytes of packets received, without framing."),
		sent:      counter("sent_bytes_total", "Bytes of frames and payloads sent."),
		panics:    counter("panics_total", "Panics in handlers."),
	}
	for _, transport := range []string{transportPolling, transportWebSocket} {
		m.sockets.WithLabelValues(transport)
		m.shakes.WithLabelValues(transport, shakeOK)
		m.shakes.WithLabelValues(transport, shakeRefused)
	}
	if reg != nil {
		reg.MustRegister(m.sockets, m.shakes, m.connects, m.refusals, closes, m.overflows, m.events, m.received, m.sent, m.panics)
	}
	return m
}

func (m *metrics) count(transport string, by int64) {
	m.sockets.WithLabelValues(transport).Add(float64(by))
	if transport == transportWebSocket {
		m.websocket.Add(by)
	} else {
		m.polling.Add(by)
	}
}

// The results of a handshake.
const (
	shakeOK      = "ok"
	shakeRefused = "refused"
)

func (m *metrics) opened(transport string) {
	m.count(transport, 1)
	m.shakes.WithLabelValues(transport, shakeOK).Inc()
}

func (m *metrics) closed(transport string) { m.count(transport, -1) }
func (m *metrics) moved(from, to string)   { m.count(from, -1); m.count(to, 1) }

func (m *metrics) stats() Stats {
	return Stats{Polling: int(m.polling.Load()), WebSocket: int(m.websocket.Load())}
}

// maxReasons bounds the labels that Socket.Close can make.
const maxReasons = 40

// reasonCounter counts by reason; past maxReasons different ones the rest counts as "other".
type reasonCounter struct {
	vec   *prometheus.CounterVec
	mu    sync.Mutex // guards known
	known map[string]prometheus.Counter
}

func (c *reasonCounter) add(reason string) {
	c.mu.Lock()
	counter, ok := c.known[reason]
	if !ok {
		if len(c.known) >= maxReasons {
			reason = "other"
		}
		counter = c.vec.WithLabelValues(reason)
		if reason != "other" {
			c.known[reason] = counter
		}
	}
	c.mu.Unlock()
	counter.Inc()
}
