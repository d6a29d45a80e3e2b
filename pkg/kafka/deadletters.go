package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/schemas"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// HeaderRedriven is what a record has that was a dead letter and was put back into its topic: which one, as
// DeadLetterID writes it.
const HeaderRedriven = "dlq_redriven_from"

// ErrNoDeadLetter is an id that no dead letter has, or has no longer.
var ErrNoDeadLetter = errors.New("there is no such dead letter")

// DeadLetterID is a dead letter's place in chat.deadletter.
type DeadLetterID struct {
	Partition int32
	Offset    int64
}

// String gives PARTITION/OFFSET.
func (id DeadLetterID) String() string { return fmt.Sprintf("%d/%d", id.Partition, id.Offset) }

// ParseDeadLetterID reads what String gives.
func ParseDeadLetterID(text string) (id DeadLetterID, ok bool) {
	partition, offset, _ := strings.Cut(text, "/")
	p, err1 := strconv.ParseUint(partition, 10, 31)
	o, err2 := strconv.ParseUint(offset, 10, 63)
	return DeadLetterID{int32(p), int64(o)}, err1 == nil && err2 == nil
}

// DeadLetter is a record of chat.deadletter.
type DeadLetter struct {
	ID     DeadLetterID
	Buried time.Time
	Reason string // what Producer.DeadLetter was given
	// LeftOut is how many bytes the record had, where they were too many to be kept here; 0 where it is whole.
	LeftOut int
	Record  // as it was in its topic; Topic is "" for one that something else put among the dead letters
}

// ReadDeadLetters hands on the dead letters that are there now, partition by partition and in each in their order, until
// each returns an error. Those of one conversation share a partition.
func ReadDeadLetters(ctx context.Context, cfg Config, each func(DeadLetter) error) error {
	return cfg.deadLetters(ctx, func(_ int32, there span) span { return there }, each)
}

// ReadDeadLetter gives one, or ErrNoDeadLetter.
func ReadDeadLetter(ctx context.Context, cfg Config, id DeadLetterID) (letter DeadLetter, err error) {
	err = cfg.deadLetters(ctx, func(partition int32, there span) span {
		if partition != id.Partition || id.Offset < there.from || id.Offset >= there.to {
			return span{}
		}
		return span{id.Offset, id.Offset + 1}
	}, func(d DeadLetter) error {
		letter = d
		return nil
	})
	if err == nil && (letter.Buried.IsZero() || letter.ID != id) {
		err = fmt.Errorf("%w: %s", ErrNoDeadLetter, id)
	}
	return letter, err
}

// span is a part of a partition, without to.
type span struct{ from, to int64 }

// deadLetters reads what choose takes of what is there.
func (c Config) deadLetters(ctx context.Context, choose func(partition int32, there span) span, each func(DeadLetter) error) error {
	if err := c.defaults(); err != nil {
		return err
	}
	client, err := kgo.NewClient(c.options(kgo.ConsumeResetOffset(kgo.NoResetOffset()))...)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	left, err := deadSpans(ctx, kadm.NewClient(client), choose)
	if err != nil {
		return fmt.Errorf("%s: %w", schemas.TopicDeadLetter, err)
	}
	from := make(map[int32]kgo.Offset, len(left))
	for partition, s := range left {
		from[partition] = kgo.NewOffset().At(s.from)
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{schemas.TopicDeadLetter: from})
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("%s: %w", schemas.TopicDeadLetter, passing(err))
		}
		for r := range fetches.RecordsAll() {
			s, reading := left[r.Partition]
			if reading && r.Offset < s.to {
				if err := each(deadLetter(r)); err != nil {
					return err
				}
			}
			if reading && r.Offset >= s.to-1 {
				delete(left, r.Partition)
				client.RemoveConsumePartitions(map[string][]int32{schemas.TopicDeadLetter: {r.Partition}})
			}
		}
	}
	return nil
}

func deadSpans(ctx context.Context, admin *kadm.Client, choose func(int32, span) span) (map[int32]span, error) {
	starts, err := admin.ListStartOffsets(ctx, schemas.TopicDeadLetter)
	if err != nil {
		return nil, away(err)
	}
	ends, err := admin.ListEndOffsets(ctx, schemas.TopicDeadLetter)
	if err != nil {
		return nil, away(err)
	}
	if err := errors.Join(starts.Error(), ends.Error()); errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil, fmt.Errorf("%w: it is missing; run `dozaar topics apply`", ErrTopics)
	} else if err != nil {
		return nil, passing(err)
	}
	spans := make(map[int32]span)
	starts.Each(func(start kadm.ListedOffset) {
		if end, ok := ends.Lookup(start.Topic, start.Partition); ok {
			if s := choose(start.Partition, span{start.Offset, end.Offset}); s.from < s.to {
				spans[start.Partition] = s
			}
		}
	})
	return spans, nil
}

// deadLetter takes apart what Producer.DeadLetter put together.
func deadLetter(r *kgo.Record) DeadLetter {
	d := DeadLetter{
		ID:     DeadLetterID{r.Partition, r.Offset},
		Buried: r.Timestamp,
		Record: Record{Key: r.Key, Value: r.Value, Headers: headersOf(r), Time: r.Timestamp},
	}
	own, ours := len(d.Headers)-len(deadHeaders), make(map[string]string)
	for i, name := range deadHeaders {
		if own < 0 || d.Headers[own+i].Key != name {
			return d
		}
		ours[name] = string(d.Headers[own+i].Value)
	}
	partition, err1 := strconv.ParseInt(ours[HeaderDeadPartition], 10, 32)
	offset, err2 := strconv.ParseInt(ours[HeaderDeadOffset], 10, 64)
	epoch, err3 := strconv.ParseInt(ours[HeaderDeadEpoch], 10, 32)
	produced, err4 := time.Parse(chat.TimeFormat, ours[HeaderDeadProduced])
	if errors.Join(err1, err2, err3, err4) != nil {
		return d
	}
	d.Headers, d.Reason = d.Headers[:own], ours[HeaderDeadReason]
	d.Topic, d.Partition, d.Time = ours[HeaderDeadTopic], int32(partition), produced
	d.Position = chat.Position{Epoch: int32(epoch), Offset: offset}
	if own == 1 && d.Headers[0].Key == HeaderDeadLeftOut && len(d.Value) == 0 {
		d.LeftOut, _ = strconv.Atoi(string(d.Headers[0].Value))
	}
	return d
}

// Redrive puts a dead letter's record back into its topic, where it is a new record: at the log's end, in its key's
// partition. It returns as PublishMessage does. A message that was stored already is not stored again, so a
// dead letter may be redriven more than once.
func (p *Producer) Redrive(ctx context.Context, d DeadLetter) error {
	if d.Topic == "" {
		return fmt.Errorf("dead letter %s does not say which topic it comes from", d.ID)
	}
	if d.LeftOut > 0 {
		return fmt.Errorf("dead letter %s is without its record, whose %d bytes were too many to be kept: they are at %s partition %d, offset %d, as long as that keeps them",
			d.ID, d.LeftOut, d.Topic, d.Partition, d.Position.Offset)
	}
	headers := make([]kgo.RecordHeader, 0, len(d.Headers)+1)
	for _, h := range d.Headers {
		if h.Key != HeaderRedriven {
			headers = append(headers, kgo.RecordHeader(h))
		}
	}
	return p.publish(ctx, &kgo.Record{
		Topic: d.Topic, Key: d.Key, Value: d.Value,
		Headers: append(headers, kgo.RecordHeader{Key: HeaderRedriven, Value: []byte(d.ID.String())}),
	})
}
