package kafka_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
)

// Stored messages are records in their order, with the message's id and trace; a patient producer gives none up while
// the brokers are away, and whoever stops waiting changes nothing for the others.
func TestPublishStored(t *testing.T) {
	l := &log{t: t, config: kafka.Config{Brokers: []string{freeAddress(t)}}}
	dir, listen := t.TempDir(), l.config.Brokers[0]
	broker := startBroker(t, dir, listen)
	if _, err := kafka.EnsureTopics(t.Context(), kafka.TopicsConfig{Config: l.config, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	p := l.producer(func(c *kafka.ProducerConfig) { c.Patient, c.DeliveryTimeout = true, time.Millisecond })
	conversation := chat.NewID()
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	next := int64(0)
	some := func(n int) (all []kafka.Stored) {
		for range n {
			next++
			m := message(conversation, "hello")
			m.Seq = next
			all = append(all, kafka.Stored{Message: m, TraceParent: trace})
		}
		return all
	}
	if err := p.PublishStored(t.Context(), some(300)); err != nil {
		t.Fatal(err)
	}
	if err := broker.Close(); err != nil {
		t.Fatal(err)
	}
	published := make(chan error, 1)
	rest := some(300)
	go func() { published <- p.PublishStored(t.Context(), rest) }()
	select {
	case err := <-published:
		t.Fatalf("published without a broker: %v", err)
	case <-time.After(1500 * time.Millisecond): // longer than a producer that gives up would wait
	}
	broker = startBroker(t, dir, listen)
	defer broker.Close()
	if err := <-published; err != nil {
		t.Fatal(err)
	}
	codec := newCodec(t)
	for i, r := range l.read("chat.messages.stored", 600) {
		m, err := codec.DecodeStored(r.Value)
		if err != nil || m.Seq != int64(i+1) || string(r.Key) != conversation.String() {
			t.Fatalf("record %d is number %d of %s, %v", i, m.Seq, r.Key, err)
		}
		if h := headers(r); h["ce_id"] != m.ID.String() || h["ce_type"] != "dozaar.message.stored" || h["traceparent"] != trace {
			t.Fatalf("record %d has the headers %v", i, h)
		}
	}
}

// A message that is too large for the topic is said to be, and goes to the dead letters as the record that it would have been:
// one that a topic with another limit may be given.
func TestStoredMessageThatIsTooLarge(t *testing.T) {
	l := newLog(t, 1)
	p := l.producer(func(c *kafka.ProducerConfig) { c.Patient = true })
	m := message(chat.NewID(), strings.Repeat("x", 2<<20))
	m.Seq = 7
	err := p.PublishStored(t.Context(), []kafka.Stored{{Message: m}})
	if !errors.Is(err, kafka.ErrTooLarge) {
		t.Fatalf("%v; want ErrTooLarge", err)
	}
	if err := p.BuryStored(t.Context(), kafka.Stored{Message: m}, err); err != nil {
		t.Fatal(err)
	}
	codec, n := newCodec(t), 0
	if err := kafka.ReadDeadLetters(t.Context(), l.config, func(d kafka.DeadLetter) error {
		n++
		again, err := codec.DecodeStored(d.Value)
		if err != nil || again.Seq != 7 || again.ID != m.ID || d.Topic != "chat.messages.stored" || string(d.Key) != m.ConversationID.String() || d.Position.Offset != -1 {
			t.Errorf("the dead letter is of %s, offset %d, key %s: number %d, %v", d.Topic, d.Position.Offset, d.Key, again.Seq, err)
		}
		return nil
	}); err != nil || n != 1 {
		t.Errorf("%d dead letters, %v", n, err)
	}
}
