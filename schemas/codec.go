package schemas

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/avro"
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
type format[W any] struct {
	event    Event
	registry Registry
	reader   *avro.Schema
	id       uint32

	mu      sync.RWMutex
	writers map[uint32]*avro.Schema // by id: what was written under it, as the reader sees it
}

func (f *format[W]) init(ctx context.Context, registry Registry, event Event) error {
	reader, err := avro.Parse(event.Schema())
	if err != nil {
		return fmt.Errorf("schema of %s: %w", event.Name, err)
	}
	id, err := registry.ID(ctx, event.Subject(), event.Schema())
	switch {
	case errors.Is(err, ErrNotRegistered):
		return fmt.Errorf("the schema of %s is not registered under %s; run `dozaar schemas apply`: %w", event.Name, event.Subject(), err)
	case err != nil:
		return fmt.Errorf("look up the schema of %s: %w", event.Name, err)
	}
	f.event, f.registry, f.reader, f.id = event, registry, reader, uint32(id)
	f.writers = map[uint32]*avro.Schema{f.id: reader}
	return nil
}

func (f *format[W]) encode(w W) ([]byte, error) {
	b := make([]byte, headerSize, 512)
	b[0] = magic
	binary.BigEndian.PutUint32(b[1:], f.id)
	b, err := f.reader.AppendEncode(b, &w)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", f.event.Name, err)
	}
	return b, nil
}

func (f *format[W]) decode(value []byte) (w W, err error) {
	if len(value) < headerSize || value[0] != magic {
		return w, fmt.Errorf("%s: %w: it is not in Confluent framing", f.event.Name, ErrPoison)
	}
	id := binary.BigEndian.Uint32(value[1:])
	writer, err := f.writer(id)
	if err != nil {
		return w, fmt.Errorf("%s: %w", f.event.Name, err)
	}
	rest, err := writer.Decode(value[headerSize:], &w)
	if err != nil {
		return w, fmt.Errorf("%s: %w: schema %d: %w", f.event.Name, ErrPoison, id, err)
	}
	if len(rest) > 0 {
		return w, fmt.Errorf("%s: %w: %d bytes follow the record", f.event.Name, ErrPoison, len(rest))
	}
	return w, nil
}

// writer finds out how to read what was written under id.
func (f *format[W]) writer(id uint32) (*avro.Schema, error) {
	f.mu.RLock()
	known := f.writers[id]
	f.mu.RUnlock()
	if known != nil {
		return known, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	text, err := f.registry.Schema(ctx, int(id))
	if errors.Is(err, ErrNotRegistered) {
		return nil, fmt.Errorf("%w: schema %d: %w", ErrPoison, id, err)
	}
	if err != nil {
		return nil, fmt.Errorf("ask the registry for schema %d: %w", id, err)
	}
	written, err := avro.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w: schema %d is not one: %w", ErrPoison, id, err)
	}
	resolved, err := avro.Resolve(written, f.reader)
	if err != nil {
		return nil, fmt.Errorf("%w: schema %d does not fit: %w", ErrPoison, id, err)
	}
	f.mu.Lock()
	f.writers[id] = resolved
	f.mu.Unlock()
	return resolved, nil
}
