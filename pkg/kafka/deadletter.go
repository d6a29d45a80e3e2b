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

// HeaderDeadLeftOut is what a dead letter has, before the others and beside nothing of the record but its key, where
// the record is too large for chat.deadletter, as one that was compressed in its topic may be: how many bytes it has.
// They are in the record's topic only, for as long as that keeps them.
const HeaderDeadLeftOut = "dlq_left_out"

// maxDeadKey is how long a key may be to be kept without its record.
const maxDeadKey = 1024

// deadHeaders are these, in the order in which they follow the record's own.
var deadHeaders = []string{HeaderDeadTopic, HeaderDeadPartition, HeaderDeadOffset, HeaderDeadEpoch, HeaderDeadReason, HeaderDeadProduced}

const maxReason = 1024

// DeadLetter puts a record into chat.deadletter, whole: key, value and headers as they were. One that is too large for
// that is left out: nothing behind it could ever be delivered, were it waited for. Its time is
// the time of the burial: retention counts from there, and the client gives up at once on a record whose
// own time is older than the delivery timeout. DeadLetter returns as PublishMessage does; only after nil
// may the record be passed over.
func (p *Producer) DeadLetter(ctx context.Context, r Record, why error) error {
	headers := make([]kgo.RecordHeader, 0, len(r.Headers)+len(deadHeaders))
	for _, h := range r.Headers {
		headers = append(headers, kgo.RecordHeader(h))
	}
	err := p.bury(ctx, r, headers, r.Key, r.Value, reason(why))
	if tooLarge(err) {
		size := len(r.Key) + len(r.Value)
		for _, h := range r.Headers {
			size += len(h.Key) + len(h.Value)
		}
		key := r.Key
		if len(key) > maxDeadKey {
			key = nil
		}
		err = p.bury(ctx, r, []kgo.RecordHeader{{Key: HeaderDeadLeftOut, Value: strconv.AppendInt(nil, int64(size), 10)}}, key, nil, reason(why))
	}
	if err != nil {
		return err
	}
	p.metrics.deadLetters.WithLabelValues(r.Topic).Inc()
	p.cfg.Logger.Warn("a record went to "+schemas.TopicDeadLetter,
		"topic", r.Topic, "partition", r.Partition, "offset", r.Position.Offset, "reason", reason(why))
	return nil
}

// bury publishes a dead letter of a record.
func (p *Producer) bury(ctx context.Context, r Record, headers []kgo.RecordHeader, key, value []byte, why string) error {
	headers = append(headers,
		kgo.RecordHeader{Key: HeaderDeadTopic, Value: []byte(r.Topic)},
		kgo.RecordHeader{Key: HeaderDeadPartition, Value: strconv.AppendInt(nil, int64(r.Partition), 10)},
		kgo.RecordHeader{Key: HeaderDeadOffset, Value: strconv.AppendInt(nil, r.Position.Offset, 10)},
		kgo.RecordHeader{Key: HeaderDeadEpoch, Value: strconv.AppendInt(nil, int64(r.Position.Epoch), 10)},
		kgo.RecordHeader{Key: HeaderDeadReason, Value: []byte(why)},
		kgo.RecordHeader{Key: HeaderDeadProduced, Value: []byte(r.Time.UTC().Format(chat.TimeFormat))},
	)
	return p.publish(ctx, &kgo.Record{Topic: schemas.TopicDeadLetter, Key: key, Value: value, Headers: headers})
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
