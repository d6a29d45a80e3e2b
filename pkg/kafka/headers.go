package kafka

import (
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Headers of every event's record: CloudEvents 1.0 in the binary mode of its Kafka protocol binding, and, where whoever
// asked for the event was part of a trace, that trace's context as W3C has it (chat.WithTraceParent).
const (
	HeaderSpecVersion = "ce_specversion"
	HeaderID          = "ce_id"
	HeaderType        = "ce_type"
	HeaderSource      = "ce_source"
	HeaderTime        = "ce_time"
	HeaderContentType = "content-type"
	HeaderTraceParent = "traceparent"
)

const (
	specVersion = "1.0"
	contentType = "application/avro"
)

func cloudEvent(id chat.ID, kind, source string, at time.Time, traceparent string) []kgo.RecordHeader {
	headers := []kgo.RecordHeader{
		{Key: HeaderSpecVersion, Value: []byte(specVersion)},
		{Key: HeaderID, Value: []byte(id.String())},
		{Key: HeaderType, Value: []byte(kind)},
		{Key: HeaderSource, Value: []byte(source)},
		{Key: HeaderTime, Value: []byte(at.UTC().Format(chat.TimeFormat))},
		{Key: HeaderContentType, Value: []byte(contentType)},
	}
	if traceparent != "" {
		headers = append(headers, kgo.RecordHeader{Key: HeaderTraceParent, Value: []byte(traceparent)})
	}
	return headers
}
