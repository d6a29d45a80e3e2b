package observe

import (
	"context"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// TraceConfig says where traces go.
type TraceConfig struct {
	URL      string  // of a collector that speaks OTLP over HTTP, such as http://127.0.0.1:4318
	Ratio    float64 // of messages and other events that are traced, 0 to 1
	Service  string
	Instance string
	Version  string
	Logger   *slog.Logger
}

// NewTraces sends spans in batches; what cannot be sent in time is dropped, and nothing waits for it. Shut it down.
func NewTraces(ctx context.Context, c TraceConfig) (*sdk.TracerProvider, error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(c.URL+"/v1/traces"))
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	return sdk.NewTracerProvider(
		sdk.WithBatcher(told{exporter, c.Logger}),
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(c.Ratio))),
		sdk.WithResource(resource.NewSchemaless(
			attribute.String("service.name", c.Service),
			attribute.String("service.instance.id", c.Instance),
			attribute.String("service.version", c.Version),
		)),
	), nil
}

// told has our log say what cannot be sent: an error that is handed on would be printed past it.
type told struct {
	sdk.SpanExporter
	log *slog.Logger
}

// ExportSpans implements sdk.SpanExporter.
func (t told) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if err := t.SpanExporter.ExportSpans(ctx, spans); err != nil {
		t.log.Warn("traces could not be sent, and are lost", "spans", len(spans), "error", err)
	}
	return nil
}

// traced adds to a record which trace it belongs to, if its context is in one.
type traced struct{ slog.Handler }

// Handle implements slog.Handler.
func (h traced) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h traced) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traced{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h traced) WithGroup(name string) slog.Handler { return traced{h.Handler.WithGroup(name)} }
