package socketio

import (
	"context"
	"slices"
	"strings"
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

// TestUnsent counts what waits for a client that polls no more.
func TestUnsent(t *testing.T) {
	joined := make(chan *Socket, 1)
	r := newRig(t, Config{Registerer: prometheus.NewRegistry()}, one(&script{connected: func(_ context.Context, s *Socket) { joined <- s }}))
	join(t, r.polling())
	s := <-joined
	sum, worst := r.server.unsent()
	if err := s.Emit("news", strings.Repeat("x", 10_000)); err != nil {
		t.Fatal(err)
	}
	if got, most := r.server.unsent(); got < sum+10_000 || most < 10_000 || got > most+sum {
		t.Errorf("%d bytes wait, %d of one; before it was %d and %d", got, most, sum, worst)
	}
}
