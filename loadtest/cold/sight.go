package main

import (
	"context"
	"math"
	"net/http"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/dozaar/dozaar/loadtest/stack"
)

// sight is what deliver tells of itself. Times are in seconds, memory is in bytes.
type sight struct {
	stored              histogram
	parked, cpu, memory float64
}

func look(ctx context.Context, deliver *stack.Service) (s sight, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+deliver.Admin+"/metrics", nil)
	if err != nil {
		return s, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return s, err
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return s, err
	}
	first := func(name string) *dto.Metric {
		if f := families[name]; f != nil {
			return f.GetMetric()[0]
		}
		return &dto.Metric{}
	}
	s.stored = histogram{first("dozaar_deliver_produced_to_stored_seconds").GetHistogram()}
	s.parked = first("dozaar_deliver_parked_conversations").GetGauge().GetValue()
	s.cpu = first("process_cpu_seconds_total").GetCounter().GetValue()
	s.memory = first("process_resident_memory_bytes").GetGauge().GetValue()
	return s, nil
}

type histogram struct{ *dto.Histogram }

func (h histogram) count() float64 { return float64(h.GetSampleCount()) }

// since is what was counted after an earlier look.
func (h histogram) since(earlier histogram) histogram {
	d := &dto.Histogram{}
	n := h.GetSampleCount() - earlier.GetSampleCount()
	d.SampleCount = &n
	for i, b := range h.GetBucket() {
		c := b.GetCumulativeCount()
		if i < len(earlier.GetBucket()) {
			c -= earlier.GetBucket()[i].GetCumulativeCount()
		}
		bound := b.GetUpperBound()
		d.Bucket = append(d.Bucket, &dto.Bucket{CumulativeCount: &c, UpperBound: &bound})
	}
	return histogram{d}
}

// quantile is the upper bound of the bucket in which it lies.
func (h histogram) quantile(q float64) float64 {
	for _, b := range h.GetBucket() {
		if float64(b.GetCumulativeCount()) >= q*h.count() {
			return b.GetUpperBound()
		}
	}
	return math.Inf(1)
}
