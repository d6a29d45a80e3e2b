package socketio

import (
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestTwoServersOneRegistry publishes each under a label of its own, and not without.
func TestTwoServersOneRegistry(t *testing.T) {
	registry := prometheus.NewRegistry()
	for _, name := range []string{"app", "web"} {
		New(Config{Registerer: prometheus.WrapRegistererWith(prometheus.Labels{"server": name}, registry)}).metrics.events.Inc()
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var labels []string
	for _, family := range families {
		if family.GetName() == "dozaar_socketio_events_total" {
			for _, m := range family.GetMetric() {
				labels = append(labels, m.GetLabel()[0].GetValue())
			}
		}
	}
	if !slices.Equal(labels, []string{"app", "web"}) {
		t.Errorf("events are counted for %q", labels)
	}
	defer func() {
		if recover() == nil {
			t.Error("one registry took two servers that nothing tells apart")
		}
	}()
	New(Config{Registerer: prometheus.WrapRegistererWith(prometheus.Labels{"server": "web"}, registry)})
}
