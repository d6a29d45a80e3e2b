package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/schemas"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrTooLarge is wrapped where a topic takes no record, or no batch of records, as large as that: trying again is in vain.
var ErrTooLarge = errors.New("larger than the topic takes")

// Stored is a message that has its number.
type Stored struct {
	Message     chat.Message
	TraceParent string // of the record that it came from; "": none
}

// PublishStored publishes messages of one conversation, in their order, and returns nil when all in-sync replicas have
// all of them. After an error, of whatever kind, some may be there and some may still get there, in their order and as
// if they had been published by now: the caller publishes all of them again, or never anything of that conversation.
// It needs a Patient producer: there a record that is overtaken by a later one would have had to fail by itself.
// ErrTooLarge says that one of them, or all of them together, will never be taken.
func (p *Producer) PublishStored(ctx context.Context, messages []Stored) error {
	if err := p.refused(); err != nil {
		return fmt.Errorf("publish to %s: %w: %w", schemas.TopicStored, chat.ErrUnavailable, err)
	}
	records := make([]*kgo.Record, len(messages))
	for i, s := range messages {
		var err error
		if records[i], err = p.storedRecord(s); err != nil {
			return err
		}
	}
	start := time.Now()
	var failed atomic.Bool
	done := make(chan error, len(records))
	sent := 0
	for _, r := range records {
		if failed.Load() {
			break
		}
		sent++
		p.client.TryProduce(context.WithoutCancel(ctx), r, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Store(true)
			}
			done <- err
		})
	}
	for range sent {
		select {
		case err := <-done:
			if err != nil {
				p.metrics.failed(schemas.TopicStored)
				if tooLarge(err) {
					err = fmt.Errorf("%w: %w", ErrTooLarge, err)
				}
				return fmt.Errorf("publish to %s: %w", schemas.TopicStored, err)
			}
			p.metrics.published(ctx, schemas.TopicStored, time.Since(start))
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (p *Producer) storedRecord(s Stored) (*kgo.Record, error) {
	value, err := p.codec.EncodeStored(s.Message)
	if err != nil {
		return nil, err
	}
	m := s.Message
	return p.record(schemas.MessageStored, m.ConversationID, m.ID, m.CreatedAt, value, s.TraceParent), nil
}

func tooLarge(err error) bool {
	return errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge)
}

// BuryStored puts a message that chat.messages.stored does not take into chat.deadletter, as the record that it would have
// been there; so it has no place in that topic, and its partition and offset are -1. It returns as PublishMessage does.
func (p *Producer) BuryStored(ctx context.Context, s Stored, why error) error {
	r, err := p.storedRecord(s)
	if err != nil {
		return err
	}
	return p.DeadLetter(ctx, Record{
		Topic: r.Topic, Partition: -1, Position: chat.Position{Offset: -1}, Key: r.Key, Value: r.Value, Headers: headersOf(r), Time: s.Message.CreatedAt,
	}, why)
}
