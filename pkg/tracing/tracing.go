// Package tracing is what the parts of a message's way need of OpenTelemetry. A nil tracer is tracing that is off: then
// nothing here allocates, and nothing is sent along with a message.
package tracing

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Begin starts a span. What it returns ends it; its error, if any, is the span's.
func Begin(ctx context.Context, tracer trace.Tracer, name string, options ...trace.SpanStartOption) (context.Context, func(error)) {
	if tracer == nil {
		return ctx, nothing
	}
	ctx, span := tracer.Start(ctx, name, options...)
	return ctx, func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		}
		span.End()
	}
}

// Step is Begin for a part of a span that there is; where there is none, nothing.
func Step(ctx context.Context, tracer trace.Tracer, name string) (context.Context, func(error)) {
	if tracer == nil || !trace.SpanContextFromContext(ctx).IsSampled() {
		return ctx, nothing
	}
	return Begin(ctx, tracer, name)
}

func nothing(error) {}

// Sampled is the span that ctx is in, if it is traced.
func Sampled(ctx context.Context) *trace.SpanContext {
	if ctx == nil {
		return nil
	}
	if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
		kept := span // span itself stays on the stack: most are not sampled
		return &kept
	}
	return nil
}

// Parent writes a span down, as W3C's traceparent, for a process that goes on with it. Of nil it is empty.
func Parent(span *trace.SpanContext) string {
	if span == nil {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(context.Background(), *span), carrier)
	return carrier[header]
}

// Under puts what Parent has written into ctx. What is no such thing changes nothing.
func Under(ctx context.Context, parent string) context.Context {
	if parent == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{header: parent})
}

const header = "traceparent"

// Observe measures, with the trace as an exemplar where there is one.
func Observe(ctx context.Context, histogram prometheus.Observer, value float64) {
	if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
		if with, ok := histogram.(prometheus.ExemplarObserver); ok {
			with.ObserveWithExemplar(value, prometheus.Labels{"trace_id": span.TraceID().String()})
			return
		}
	}
	histogram.Observe(value)
}
