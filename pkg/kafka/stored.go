package kafka

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/schemas"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Stored is a message that has its number.
type Stored struct {
	Message     chat.Message
	TraceParent string // of the record that it came from; "": none
}

// PublishStored publishes messages of one conversation, in their order, and returns nil when all in-sync replicas have
// all of them. After an error, of whatever kind, some may be there and some may still get there, in their order and as
// if they had been published by now: the caller publishes all of them again, or never anything of that conversation.
// It needs a Patient producer: there a record that is overtaken by a later one would have had to fail by itself.
func (p *Producer) PublishStored(ctx context.Context, messages []Stored) error {
	if err := p.refused(); err != nil {
		return fmt.Errorf("publish to %s: %w: %w", schemas.TopicStored, chat.ErrUnavailable, err)
	}
	records := make([]*kgo.Record, len(messages))
	for i, s := range messages {
		value, err := p.codec.EncodeStored(s.Message)
		if err != nil {
			return err
		}
		m := s.Message
		records[i] = p.record(schemas.MessageStored, m.ConversationID, m.ID, m.CreatedAt, value, s.TraceParent)
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
				return fmt.Errorf("publish to %s: %w", schemas.TopicStored, err)
			}
			p.metrics.published(ctx, schemas.TopicStored, time.Since(start))
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
