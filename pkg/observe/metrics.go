package observe

import (
	"context"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// NewRegistry returns a registry of its own with the collectors that every process has: Go's runtime,
// the process, and dozaar_build_info, which is always 1 and says in its labels what is running.
func NewRegistry(version, revision string) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "dozaar_build_info",
		Help:        "What is running; always 1.",
		ConstLabels: prometheus.Labels{"version": version, "revision": revision, "goversion": runtime.Version()},
	})
	build.Set(1)
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		build,
	)
	return registry
}

// NewReady exports what /readyz says, asked at each scrape.
func NewReady(h *Health) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "dozaar_process_ready",
		Help: "1 where /readyz answers 200: all that the process needs is there, and it does not drain.",
	}, func() float64 {
		if h.Status(context.Background()).Ready {
			return 1
		}
		return 0
	})
}
