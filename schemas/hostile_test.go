package schemas

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// slow is a registry that does not answer before it is given up.
type slow struct{ *book }

func (s slow) Schema(ctx context.Context, _ int) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

// A registry that hangs keeps nobody for longer than a question may take, and makes no record poison; ids that are known
// are not asked about.
func TestRegistryThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook(t)
		c, err := NewCodec(t.Context(), slow{b})
		if err != nil {
			t.Fatal(err)
		}
		value, err := c.EncodeStored(storedMessages()["plain"])
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if m, err := c.DecodeStored(value); err != nil || m.Seq == 0 || time.Since(start) != 0 {
			t.Errorf("a known id: %+v, %v, after %s", m, err, time.Since(start))
		}
		binary.BigEndian.PutUint32(value[1:], 99)
		if _, err := c.DecodeStored(value); err == nil || errors.Is(err, ErrPoison) {
			t.Errorf("an unseen id: %v; want an error that is not ErrPoison", err)
		}
		if took := time.Since(start); took != lookupTimeout {
			t.Errorf("the question took %s; want %s", took, lookupTimeout)
		}
	})
}

// A registry that was emptied takes nothing from a codec that knows its ids, says what to do to one that starts, and makes
// what nobody can explain poison.
func TestRegistryThatWasEmptied(t *testing.T) {
	b := newBook(t)
	c := newCodec(t, b)
	value, err := c.EncodeMessage(messages()["plain"])
	if err != nil {
		t.Fatal(err)
	}
	b.schemas, b.owners = nil, nil
	if _, err := c.DecodeMessage(value); err != nil {
		t.Errorf("a known id: %v", err)
	}
	if again, err := c.EncodeMessage(messages()["plain"]); err != nil || string(again) != string(value) {
		t.Errorf("encoding: %x, %v", again, err)
	}
	binary.BigEndian.PutUint32(value[1:], 99)
	if _, err := c.DecodeMessage(value); !errors.Is(err, ErrPoison) {
		t.Errorf("an unseen id: %v; want ErrPoison", err)
	}
	if _, err := NewCodec(t.Context(), b); !errors.Is(err, ErrNotRegistered) || !strings.Contains(err.Error(), "dozaar schemas apply") {
		t.Errorf("whoever starts: %v", err)
	}
}

// A schema that is registered under another id than it was is another writer's of the same content; an id that means
// another schema than it did is refused, and read as nothing.
func TestSchemaUnderAnotherID(t *testing.T) {
	b := newBook(t)
	c := newCodec(t, b)
	value, err := c.EncodeStored(storedMessages()["full"])
	if err != nil {
		t.Fatal(err)
	}
	b.schemas = append(b.schemas, MessageStored.Schema()) // once more, by whoever did not look
	binary.BigEndian.PutUint32(value[1:], uint32(len(b.schemas)))
	if m, err := c.DecodeStored(value); err != nil || m.Text != storedMessages()["full"].Text {
		t.Errorf("%+v, %v; want the message", m, err)
	}
	b.schemas = append(b.schemas, strings.Replace(MessageStored.Schema(), "timestamp-millis", "timestamp-micros", 1)) // a registry would take it
	for n := range b.schemas {                                                                                        // what each id means now: never the stored message
		binary.BigEndian.PutUint32(value[1:], uint32(n+1))
		if b.schemas[n] == MessageStored.Schema() {
			continue
		}
		if m, err := c.DecodeStored(value); !errors.Is(err, ErrPoison) {
			t.Errorf("under id %d: %+v, %v; want ErrPoison", n+1, m, err)
		}
	}
}
