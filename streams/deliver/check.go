package deliver

import (
	"context"
	"errors"
	"fmt"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
)

// kind is how one topic's records are read and what their bytes must fulfil.
//
// Whatever judges a record here sees the record alone: no store, no clock, no configuration. Two workers
// that meet the same record, today or after a restart, must agree on it, or they number what follows
// differently. For that reason a message of a conversation that does not exist passes: that a
// conversation exists stays true for ever, but that it does not may change a moment later, under another
// worker's eyes. It is numbered like any other and shown to nobody, because nobody is a member.
// For the same reason a release that judges more harshly or more mildly than the one before must not meet
// uncommitted records that the two disagree on.
type kind[T any] struct {
	decode func([]byte) (T, error)
	key    func(T) chat.ID
	check  func(T) error
}

// sound is a record that passed.
type sound[T any] struct {
	kafka.Record
	value T
}

// The reasons of refusals.
const (
	undecodable    = "undecodable"
	wrongKey       = "key"
	wrongPartition = "partition"
	invalid        = "invalid"
)

// refusal is why a record goes to the dead letters. The reason labels a metric.
type refusal struct {
	reason string
	err    error
}

func (r *refusal) Error() string { return r.reason + ": " + r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// sift decodes and checks records, in their order. Those that fail are acknowledged by the dead-letter topic
// before anything after them passes; so nothing after them is numbered before. It hands on what passed
// while it waits for that, and at the end; buried tells of each dead letter.
func sift[T any](ctx context.Context, d *Deliver, k kind[T], records []kafka.Record, passed func([]sound[T]), buried func(kafka.Record)) error {
	var sounds []sound[T]
	for _, r := range records {
		value, refused, err := judge(ctx, d, k, r)
		if err != nil {
			return err
		}
		if refused == nil {
			sounds = append(sounds, sound[T]{r, value})
			continue
		}
		passed(sounds)
		sounds = nil
		if err := d.bury(ctx, r, refused); err != nil {
			return err
		}
		buried(r)
	}
	passed(sounds)
	return nil
}

// siftAll is sift for whoever goes on with all that passed together.
func siftAll[T any](ctx context.Context, d *Deliver, k kind[T], records []kafka.Record) (all []sound[T], err error) {
	err = sift(ctx, d, k, records, func(some []sound[T]) { all = append(all, some...) }, func(kafka.Record) {})
	return all, err
}

// bury returns when the dead-letter topic has the record.
func (d *Deliver) bury(ctx context.Context, r kafka.Record, refused *refusal) error {
	if err := d.insist(ctx, "dead_letter", func(ctx context.Context) error {
		return d.DeadLetters.DeadLetter(ctx, r, refused)
	}); err != nil {
		return err
	}
	d.metrics.deadLetters.WithLabelValues(r.Topic, refused.reason).Inc()
	d.log.WarnContext(ctx, "record sent to the dead letters", "topic", r.Topic, "partition", r.Partition,
		"epoch", r.Position.Epoch, "offset", r.Position.Offset, "reason", refused.reason, "error", refused.err)
	return nil
}

func judge[T any](ctx context.Context, d *Deliver, k kind[T], r kafka.Record) (value T, refused *refusal, err error) {
	err = d.insist(ctx, "decode", func(context.Context) (err error) {
		value, refused, err = k.judge(r, d.PartitionOf)
		return err
	})
	return value, refused, err
}

// judge fails where a schema could not be asked for. partitionOf may be nil: partitions are not looked at.
func (k kind[T]) judge(r kafka.Record, partitionOf func(topic string, key []byte) int32) (value T, refused *refusal, err error) {
	value, err = k.decode(r.Value)
	switch {
	case errors.Is(err, schemas.ErrPoison):
		return value, &refusal{undecodable, err}, nil
	case err != nil:
		return value, nil, err
	case string(r.Key) != k.key(value).String():
		return value, &refusal{wrongKey, errors.New("the record's key is not its conversation's id")}, nil
	case partitionOf != nil && partitionOf(r.Topic, r.Key) != r.Partition:
		return value, &refusal{wrongPartition, errors.New("the record is not in its key's partition, and so not in its conversation's order")}, nil
	}
	if err := k.check(value); err != nil {
		return value, &refusal{invalid, err}, nil
	}
	return value, nil, nil
}

func messageKind(d Decoder) kind[chat.Message] {
	return kind[chat.Message]{
		decode: d.DecodeMessage,
		key:    func(m chat.Message) chat.ID { return m.ConversationID },
		check:  chat.Message.Validate,
	}
}

func checkReceipt(r chat.Receipt) error {
	for _, id := range []chat.ID{r.ConversationID, r.UserID, r.MessageID, r.SenderID} {
		if id == (chat.ID{}) {
			return errors.New("an id is missing")
		}
	}
	if r.Seq < 1 {
		return fmt.Errorf("seq is %d; numbers start at 1", r.Seq)
	}
	return chat.ValidateTime(r.At)
}

func checkConversationEvent(e chat.ConversationEvent) error {
	if e.Conversation.ID == (chat.ID{}) {
		return errors.New("there is no conversation id")
	}
	if e.Change != chat.Created && e.UserID == (chat.ID{}) {
		return errors.New("there is no user id")
	}
	return nil
}
