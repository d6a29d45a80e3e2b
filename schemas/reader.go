package schemas

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/avro"
)

// Reader reads one event's values as its newest schema has them, whatever version they were written by. It is safe for
// concurrent use. Its errors are a [Codec]'s.
type Reader struct {
	event    Event
	registry Registry
	schema   *avro.Schema
	id       uint32

	mu      sync.RWMutex
	writers map[uint32]*avro.Schema // by id: what was written under it, as the reader sees it
}

// NewReader asks the registry for the id of the event's newest schema. It fails, saying so, where that is not registered.
func NewReader(ctx context.Context, registry Registry, event Event) (*Reader, error) {
	r := &Reader{}
	return r, r.init(ctx, registry, event)
}

func (r *Reader) init(ctx context.Context, registry Registry, event Event) error {
	schema, err := avro.Parse(event.Schema())
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
	r.event, r.registry, r.schema, r.id = event, registry, schema, uint32(id)
	r.writers = map[uint32]*avro.Schema{r.id: schema}
	return nil
}

// Schema is the schema that values are read as.
func (r *Reader) Schema() *avro.Schema { return r.schema }

// Read reads a value into a struct whose fields' tags `avro` have the schema's names.
func (r *Reader) Read(value []byte, into any) error {
	if len(value) < headerSize || value[0] != magic {
		return fmt.Errorf("%s: %w: it is not in Confluent framing", r.event.Name, ErrPoison)
	}
	id := binary.BigEndian.Uint32(value[1:])
	writer, err := r.writer(id)
	if err != nil {
		return fmt.Errorf("%s: %w", r.event.Name, err)
	}
	rest, err := writer.Decode(value[headerSize:], into)
	if err != nil {
		return fmt.Errorf("%s: %w: schema %d: %w", r.event.Name, ErrPoison, id, err)
	}
	if len(rest) > 0 {
		return fmt.Errorf("%s: %w: %d bytes follow the record", r.event.Name, ErrPoison, len(rest))
	}
	return nil
}

// writer finds out how to read what was written under id.
func (r *Reader) writer(id uint32) (*avro.Schema, error) {
	r.mu.RLock()
	known := r.writers[id]
	r.mu.RUnlock()
	if known != nil {
		return known, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	text, err := r.registry.Schema(ctx, int(id))
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
	resolved, err := avro.Resolve(written, r.schema)
	if err == nil {
		err = sameMeaning("", *written.Root(), *r.schema.Root())
	}
	if err != nil {
		return nil, fmt.Errorf("%w: schema %d does not fit: %w", ErrPoison, id, err)
	}
	r.mu.Lock()
	r.writers[id] = resolved
	r.mu.Unlock()
	return resolved, nil
}
