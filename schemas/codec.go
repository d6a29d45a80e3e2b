package schemas

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// ErrPoison marks a value that no retry makes readable: it is not framed, its schema is unknown to the
// registry or is of another event, or its body does not fit its schema.
var ErrPoison = errors.New("the value cannot be decoded")

// ErrNotRegistered is what a Registry returns, wrapped, when it was reached and has no such schema.
var ErrNotRegistered = errors.New("the schema registry has no such schema")

// Registry is what a codec needs of a schema registry. An error that is not ErrNotRegistered means that
// the registry could not be asked, and is worth a retry.
type Registry interface {
	// ID of a schema's text under a subject.
	ID(ctx context.Context, subject, schema string) (int, error)
	// Schema is the text that an id stands for.
	Schema(ctx context.Context, id int) (string, error)
}

// lookupTimeout bounds one question to the registry while decoding.
const lookupTimeout = 5 * time.Second

// Codec encodes and decodes the events' values. It is safe for concurrent use.
//
// A decoding error is ErrPoison (wrapped) where no retry helps; any other one means that the registry
// could not be asked about an id that the codec has not seen.
type Codec struct {
	message      format[messageSent]
	receipt      format[messageRead]
	conversation format[conversationChanged]
	stored       format[messageStored]
	erasure      format[userErased]
	presence     format[presenceChanged]
	notification format[notificationDue]
}

// NewCodec asks the registry for the ids of the schemas that this program writes. It fails, saying so,
// where they are not registered.
func NewCodec(ctx context.Context, registry Registry) (*Codec, error) {
	var c Codec
	for _, init := range []func() error{
		func() error { return c.message.init(ctx, registry, MessageSent) },
		func() error { return c.receipt.init(ctx, registry, MessageRead) },
		func() error { return c.conversation.init(ctx, registry, ConversationChanged) },
		func() error { return c.stored.init(ctx, registry, MessageStored) },
		func() error { return c.erasure.init(ctx, registry, UserErased) },
		func() error { return c.presence.init(ctx, registry, PresenceChanged) },
		func() error { return c.notification.init(ctx, registry, NotificationDue) },
	} {
		if err := init(); err != nil {
			return nil, err // the others most likely say the same
		}
	}
	return &c, nil
}

const (
	magic      = 0
	headerSize = 5
)

// format is one event's wire form; W is the struct that has its schema's fields.
type format[W any] struct{ Reader }

func (f *format[W]) init(ctx context.Context, registry Registry, event Event) error {
	return f.Reader.init(ctx, registry, event)
}

func (f *format[W]) encode(w W) ([]byte, error) {
	b := make([]byte, headerSize, 512)
	b[0] = magic
	binary.BigEndian.PutUint32(b[1:], f.id)
	b, err := f.schema.AppendEncode(b, &w)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", f.event.Name, err)
	}
	return b, nil
}

func (f *format[W]) decode(value []byte) (w W, err error) {
	return w, f.Read(value, &w)
}
