package tracing

import (
	"context"
	"errors"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// Off costs nothing: no allocation at any step of a message's way.
func TestOffAllocatesNothing(t *testing.T) {
	ctx := context.Background()
	histogram := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "h", Help: "Of a test."})
	if n := testing.AllocsPerRun(100, func() {
		event, end := Begin(ctx, nil, "send:message")
		step, endStep := Step(event, nil, "put_messages")
		Observe(step, histogram, 1)
		if Parent(Sampled(Under(step, ""))) != "" {
			t.Error("a trace out of nothing")
		}
		endStep(nil)
		end(nil)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkOff(b *testing.B) {
	ctx := context.Background()
	for b.Loop() {
		event, end := Begin(ctx, nil, "send:message")
		_, endStep := Step(event, nil, "put_messages")
		endStep(nil)
		end(nil)
	}
}

func TestATraceGoesFromProcessToProcess(t *testing.T) {
	exporter := tracetest.NewInMemoryExporter()
	provider := sdk.NewTracerProvider(sdk.WithSyncer(exporter))
	tracer := provider.Tracer("test")
	ctx, end := Begin(context.Background(), tracer, "here")
	parent := Parent(Sampled(ctx))
	there, endThere := Begin(Under(context.Background(), parent), tracer, "there")
	_, endStep := Step(there, tracer, "step")
	endStep(errors.New("away"))
	endThere(nil)
	end(nil)
	if _, endNothing := Step(context.Background(), tracer, "of nothing"); endNothing != nil {
		endNothing(nil)
	}
	spans := exporter.GetSpans()
	if len(spans) != 3 || spans[0].Name != "step" || spans[0].Status.Description != "away" ||
		spans[0].Parent.SpanID() != spans[1].SpanContext.SpanID() || spans[1].Parent.SpanID() != spans[2].SpanContext.SpanID() ||
		spans[0].SpanContext.TraceID() != spans[2].SpanContext.TraceID() {
		t.Errorf("%+v", spans)
	}
	for _, bad := range []string{"", "x", "00-0-0-01", "ff-" + parent[3:]} {
		if Sampled(Under(context.Background(), bad)) != nil {
			t.Errorf("%q is a trace", bad)
		}
	}

	histogram := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "h", Help: "Of a test.", Buckets: []float64{1}})
	Observe(ctx, histogram, 0.5)
	var written dto.Metric
	if err := histogram.Write(&written); err != nil {
		t.Fatal(err)
	}
	if got := written.GetHistogram().GetBucket()[0].GetExemplar().GetLabel(); len(got) != 1 || got[0].GetValue() != spans[2].SpanContext.TraceID().String() {
		t.Errorf("the exemplar is %v", got)
	}
}
