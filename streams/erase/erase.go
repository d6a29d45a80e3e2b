// Package erase erases what a person wrote, when chat.erasures asks for it.
//
// For each request, in this order: wait until deliver has stored what was sent before it; erase texts, attachments and
// the sender's name in the history, one part after the other, by the index of where the person wrote; tell of each part,
// once it is erased, in chat.erasures, so that whoever keeps copies erases them there; tell that it is done. So it costs what
// that person wrote, and nobody who chats waits for it.
//
// It promises that a request whose record is committed is done. After a crash it begins again from the first part, and
// tells of all of them once more. A person's newer request makes an older one needless, for it erases more.
//
// What it does not reach: topics keep their records until their retention ends; a record that is put back from the dead
// letters after that is a new message. The report of GET /v1/users/{id}/erasure says what remains where, and until when.
package erase

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
)

// Topic is what a worker reads.
const Topic = schemas.TopicErasures

// A Store erases, and remembers how far that has come.
type Store interface {
	Erase(ctx context.Context, user chat.ID, before time.Time, each func(chat.ErasedPart) error) error
	PutErasure(ctx context.Context, e chat.Erasure) error
	Erasure(ctx context.Context, user chat.ID) (e chat.Erasure, found bool, err error)
}

// A Publisher tells of what is erased; nil means that Kafka has it.
type Publisher interface {
	PublishErasure(ctx context.Context, e chat.ErasureEvent) error
	DeadLetter(ctx context.Context, record kafka.Record, why error) error
}

// A Decoder reads requests. Only schemas.ErrPoison says that the bytes are to blame.
type Decoder interface {
	DecodeErasure(value []byte) (chat.ErasureEvent, error)
}

// Config is what erasing needs. What is zero gets the default named beside it.
type Config struct {
	Store     Store
	Publisher Publisher
	Decoder   Decoder
	// Stored returns once every message that was accepted before the call is stored.
	Stored func(ctx context.Context) error

	Logger     *slog.Logger     // discard
	Clock      func() time.Time // time.Now
	RetryFirst time.Duration    // the first pause after a failure, 100 ms; they grow to 30 s
}

// New returns a worker for a partition of Topic.
func New(cfg Config) kafka.Worker {
	return kafka.InOrder(newEraser(cfg).process)
}

func newEraser(cfg Config) eraser {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.RetryFirst == 0 {
		cfg.RetryFirst = 100 * time.Millisecond
	}
	return eraser{cfg}
}

type eraser struct{ Config }

func (e eraser) process(ctx context.Context, records []kafka.Record) error {
	for _, r := range records {
		if err := e.insist(ctx, func() error { return e.record(ctx, r) }); err != nil {
			return err
		}
	}
	return nil
}

// insist tries until ctx ends.
func (e eraser) insist(ctx context.Context, do func() error) error {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = e.RetryFirst, 30*time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, do() },
		backoff.WithBackOff(pauses), backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(err error, _ time.Duration) {
			e.Logger.WarnContext(ctx, "erasing fails and is tried again", "error", err)
		}))
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (e eraser) record(ctx context.Context, r kafka.Record) error {
	event, err := e.Decoder.DecodeErasure(r.Value)
	switch {
	case errors.Is(err, schemas.ErrPoison):
		return e.Publisher.DeadLetter(ctx, r, fmt.Errorf("undecodable: %w", err))
	case err != nil:
		return err
	case event.UserID == (chat.ID{}) || string(r.Key) != event.UserID.String():
		return e.Publisher.DeadLetter(ctx, r, errors.New("key: the record's key is not its user's id"))
	case event.Change != chat.ErasureRequested:
		return nil // our own
	case event.RequestedAt.After(e.Clock().Add(chat.MaxErasureAhead)):
		return e.Publisher.DeadLetter(ctx, r, fmt.Errorf("invalid: it is asked for at %s, which is still to come", event.RequestedAt.UTC().Format(chat.TimeFormat)))
	}
	known, found, err := e.Store.Erasure(ctx, event.UserID)
	if err != nil {
		return err
	}
	if found && (known.RequestedAt.After(event.RequestedAt) || known.RequestedAt.Equal(event.RequestedAt) && !known.FinishedAt.IsZero()) {
		return nil // done, or about to be with the newer request
	}
	return e.erase(ctx, chat.Erasure{UserID: event.UserID, RequestedAt: event.RequestedAt})
}

func (e eraser) erase(ctx context.Context, so chat.Erasure) error {
	if err := e.Stored(ctx); err != nil {
		return err
	}
	tell := func(change chat.ErasureChange, part chat.ErasedPart) error {
		event := chat.ErasureEvent{Change: change, UserID: so.UserID, RequestedAt: so.RequestedAt, Part: part, At: e.Clock()}
		if change == chat.ErasureDone {
			event.Messages = so.Messages
		}
		return e.Publisher.PublishErasure(ctx, event)
	}
	seen := map[chat.ID]bool{}
	if err := e.Store.Erase(ctx, so.UserID, so.RequestedAt, func(part chat.ErasedPart) error {
		if err := tell(chat.ErasureMessages, part); err != nil {
			return err
		}
		seen[part.ConversationID] = true
		so.Conversations, so.Messages = int64(len(seen)), so.Messages+int64(len(part.Seqs))
		return e.Store.PutErasure(ctx, so)
	}); err != nil {
		return err
	}
	if err := tell(chat.ErasureDone, chat.ErasedPart{}); err != nil {
		return err
	}
	so.FinishedAt = e.Clock()
	e.Logger.InfoContext(ctx, "erased what a person wrote", "user", so.UserID, "messages", so.Messages, "conversations", so.Conversations)
	return e.Store.PutErasure(ctx, so)
}
