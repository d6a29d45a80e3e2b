package kafka

import (
	"context"
	"strconv"
	"strings"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/schemas"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Headers that a dead letter has beside the record's own: where the record was and why it is here.
const (
	HeaderDeadTopic     = "dlq_topic"
	HeaderDeadPartition = "dlq_partition"
	HeaderDeadOffset    = "dlq_offset"
	HeaderDeadEpoch     = "dlq_epoch"       // the topic's log epoch
	HeaderDeadReason    = "dlq_reason"      // one line of at most 1,024 bytes
	HeaderDeadProduced  = "dlq_produced_at" // the record's own time, ISO 8601
)

// deadHeaders are these, in the order in which they follow the record's own.
var deadHeaders = []string{HeaderDeadTopic, HeaderDeadPartition, HeaderDeadOffset, HeaderDeadEpoch, HeaderDeadReason, HeaderDeadProduced}

const maxReason = 1024

// DeadLetter puts a record into chat.deadletter, whole: key, value and headers as they were. Its time is
// the time of the burial: retention counts from there, and the client gives up at once on a record whose
// own time is older than the delivery timeout. DeadLetter returns as PublishMessage does; only after nil
// may the record be passed over.
func (p *Producer) DeadLetter(ctx context.Context, r Record, why error) error {
	headers := make([]kgo.RecordHeader, 0, len(r.Headers)+len(deadHeaders))
	for _, h := range r.Headers {
		headers = append(headers, kgo.RecordHeader(h))
	}
	headers = append(headers,
		kgo.RecordHeader{Key: HeaderDeadTopic, Value: []byte(r.Topic)},
		kgo.RecordHeader{Key: HeaderDeadPartition, Value: strconv.AppendInt(nil, int64(r.Partition), 10)},
		kgo.RecordHeader{Key: HeaderDeadOffset, Value: strconv.AppendInt(nil, r.Position.Offset, 10)},
		kgo.RecordHeader{Key: HeaderDeadEpoch, Value: strconv.AppendInt(nil, int64(r.Position.Epoch), 10)},
		kgo.RecordHeader{Key: HeaderDeadReason, Value: []byte(reason(why))},
		kgo.RecordHeader{Key: HeaderDeadProduced, Value: []byte(r.Time.UTC().Format(chat.TimeFormat))},
	)
	err := p.publish(ctx, &kgo.Record{
		Topic:   schemas.TopicDeadLetter,
		Key:     r.Key,
		Value:   r.Value,
		Headers: headers,
	})
	if err != nil {
		return err
	}
	p.metrics.deadLetters.WithLabelValues(r.Topic).Inc()
	p.cfg.Logger.Warn("a record that cannot be read went to "+schemas.TopicDeadLetter,
		"topic", r.Topic, "partition", r.Partition, "offset", r.Position.Offset, "reason", reason(why))
	return nil
}

func reason(why error) string {
	if why == nil {
		return "unknown"
	}
	line := strings.Join(strings.Fields(why.Error()), " ")
	if len(line) > maxReason {
		line = strings.ToValidUTF8(line[:maxReason], "")
	}
	return line
}
