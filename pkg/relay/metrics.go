package relay

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type senderMetrics struct{ sent *prometheus.CounterVec }

func newSenderMetrics(reg prometheus.Registerer) senderMetrics {
	return senderMetrics{registered(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dozaar_relay_sent_envelopes_total",
		Help: "Envelopes sent to gateways: ok, failed (Redis did not take them), gone (the gateway's stream is not there).",
	}, []string{"result"}))}
}

type receiverMetrics struct {
	received   prometheus.Counter
	duplicates prometheus.Counter
	resyncs    *prometheus.CounterVec
}

func newReceiverMetrics(reg prometheus.Registerer) receiverMetrics {
	return receiverMetrics{
		received: registered(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dozaar_relay_received_envelopes_total",
			Help: "Envelopes handed to the gateway.",
		})),
		duplicates: registered(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dozaar_relay_duplicate_entries_total",
			Help: "Stream entries dropped because a retry appended them twice.",
		})),
		resyncs: registered(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dozaar_relay_resyncs_total",
			Help: "Times the gateway was told that it may have missed something, by reason.",
		}, []string{"reason"})),
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
