package auth

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	tokens    *prometheus.CounterVec
	refreshes *prometheus.CounterVec
	keys      *prometheus.GaugeVec
	refreshed *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dozaar_auth_tokens_total",
			Help: "Tokens looked at, by what became of them.",
		}, []string{"result"}),
		refreshes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dozaar_auth_key_refreshes_total",
			Help: "Reads of the key file or the JWKS URL: ok, failed, or throttled (an unknown key id asked for one too soon).",
		}, []string{"source", "result"}),
		keys: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "dozaar_auth_keys",
			Help: "Public keys in force.",
		}, []string{"source"}),
		refreshed: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "dozaar_auth_keys_refreshed_timestamp_seconds",
			Help: "When the keys were last read successfully; 0 if never.",
		}, []string{"source"}),
	}
	// Every series is there from the start, so that the first refusal is seen as an increase.
	for _, result := range []string{
		resultAccepted, resultMalformed, resultAlgorithm, resultKey, resultSignature,
		resultClaims, resultNotYet, resultExpired, resultUnavailable,
	} {
		m.tokens.WithLabelValues(result)
	}
	if reg == nil {
		return m, nil
	}
	var faults []error
	for _, c := range []prometheus.Collector{m.tokens, m.refreshes, m.keys, m.refreshed} {
		faults = append(faults, reg.Register(c))
	}
	return m, errors.Join(faults...)
}

func (m *metrics) token(err error) {
	result := resultAccepted
	if r, ok := errors.AsType[*refused](err); ok {
		result = r.result
	}
	m.tokens.WithLabelValues(result).Inc()
}
