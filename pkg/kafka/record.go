package kafka

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/tracing"
)

// Header is one header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Record is a record of the log, with its position.
type Record struct {
	Topic     string
	Partition int32
	Position  chat.Position
	Key       []byte
	Value     []byte
	Headers   []Header
	Time      time.Time          // the producer's
	Trace     *trace.SpanContext // in which it was fetched; nil: it is not traced
}

// Header gives the value of the last header of that name.
func (r Record) Header(key string) (value string, found bool) {
	for _, h := range r.Headers {
		if h.Key == key {
			value, found = string(h.Value), true
		}
	}
	return value, found
}

func fromClient(r *kgo.Record, epoch int32) Record {
	return Record{
		Topic:     r.Topic,
		Partition: r.Partition,
		Position:  chat.Position{Epoch: epoch, Offset: r.Offset},
		Key:       r.Key,
		Value:     r.Value,
		Headers:   headersOf(r),
		Time:      r.Timestamp,
		Trace:     tracing.Sampled(r.Context),
	}
}

func headersOf(r *kgo.Record) []Header {
	headers := make([]Header, len(r.Headers))
	for i, h := range r.Headers {
		headers[i] = Header(h)
	}
	return headers
}
