package deliver

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/dozaar/dozaar/pkg/tracing"
)

// traced begins the span of a slice: in the trace of the first of its messages that has one, linked to the others'.
func (d *Deliver) traced(ctx context.Context, slice []entry) (context.Context, func(error)) {
	if d.Tracer == nil {
		return tracing.Begin(ctx, nil, "")
	}
	var first *trace.SpanContext
	var links []trace.Link
	for _, e := range slice {
		switch {
		case e.trace == nil:
		case first == nil:
			first = e.trace
		default:
			links = append(links, trace.Link{SpanContext: *e.trace})
		}
	}
	if first == nil {
		return tracing.Begin(ctx, nil, "")
	}
	return tracing.Begin(trace.ContextWithRemoteSpanContext(ctx, *first), d.Tracer, "deliver", trace.WithLinks(links...))
}

// parentOf is what a message's envelope goes on from: the slice's span where that is in the message's trace, else the
// span in which it was fetched.
func parentOf(ctx context.Context, e entry) string {
	if e.trace == nil {
		return ""
	}
	if here := tracing.Sampled(ctx); here != nil && here.TraceID() == e.trace.TraceID() {
		return tracing.Parent(here)
	}
	return tracing.Parent(e.trace)
}
