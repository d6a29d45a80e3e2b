package kafka_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
	"github.com/twmb/franz-go/pkg/kgo"
)

// read gives the n records of a topic as any client sees them.
func (l *log) read(topic string, n int) []*kgo.Record {
	l.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(l.config.Brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		l.t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(l.t.Context(), 10*time.Second)
	defer cancel()
	var all []*kgo.Record
	for len(all) < n {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			l.t.Fatalf("read %s: %d of %d records, then %v", topic, len(all), n, err)
		}
		all = append(all, fetches.Records()...)
	}
	return all
}

func headers(r *kgo.Record) map[string]string {
	m := make(map[string]string)
	for _, h := range r.Headers {
		m[h.Key] = string(h.Value)
	}
	return m
}

func TestEveryEventIsARecord(t *testing.T) {
	l := newLog(t, 4)
	p := l.producer(nil)
	codec := newCodec(t)
	conversation := chat.NewID()
	at := time.Date(2026, 2, 3, 4, 5, 6, 7_000_000, time.UTC)

	m := message(conversation, "hello")
	m.CreatedAt = at
	r := chat.Receipt{ReadMark: chat.ReadMark{ConversationID: conversation, UserID: chat.NewID(), Seq: 3}, MessageID: m.ID, SenderID: m.Sender.ID, At: at}
	e := chat.ConversationEvent{Change: chat.Created, At: at, Conversation: chat.Conversation{ID: conversation, Members: []chat.Member{{UserID: chat.NewID(), Username: "Ada"}}, CreatedAt: at}}
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	if err := errors.Join(p.PublishMessage(chat.WithTraceParent(t.Context(), trace), m), p.PublishReceipt(t.Context(), r), p.PublishConversation(t.Context(), e)); err != nil {
		t.Fatal(err)
	}

	var ids []string
	for _, want := range []struct {
		topic, kind string
		decode      func([]byte) (chat.ID, error)
	}{
		{"chat.messages", "dozaar.message.sent", func(b []byte) (chat.ID, error) {
			got, err := codec.DecodeMessage(b)
			return got.ConversationID, err
		}},
		{"chat.receipts", "dozaar.message.read", func(b []byte) (chat.ID, error) {
			got, err := codec.DecodeReceipt(b)
			return got.ConversationID, err
		}},
		{"chat.conversations", "dozaar.conversation.changed", func(b []byte) (chat.ID, error) {
			got, err := codec.DecodeConversationEvent(b)
			return got.Conversation.ID, err
		}},
	} {
		record := l.read(want.topic, 1)[0]
		if string(record.Key) != conversation.String() || len(record.Key) != 36 {
			t.Errorf("%s: key %q; want the conversation's id as text", want.topic, record.Key)
		}
		if got, err := want.decode(record.Value); err != nil || got != conversation {
			t.Errorf("%s: value decodes as of %s, %v", want.topic, got, err)
		}
		h := headers(record)
		if _, ok := chat.ParseID(h["ce_id"]); !ok {
			t.Errorf("%s: ce_id is %q", want.topic, h["ce_id"])
		}
		if got, carried := h["traceparent"]; carried != (want.topic == "chat.messages") || carried && got != trace {
			t.Errorf("%s: traceparent is %q, %t", want.topic, got, carried)
		}
		ids = append(ids, h["ce_id"])
		delete(h, "ce_id")
		for key, value := range map[string]string{
			"ce_specversion": "1.0", "ce_type": want.kind, "ce_source": "/dozaar/test",
			"ce_time": "2026-02-03T04:05:06.007Z", "content-type": "application/avro",
		} {
			if h[key] != value {
				t.Errorf("%s: header %s is %q; want %q", want.topic, key, h[key], value)
			}
		}
	}
	if ids[0] != m.ID.String() || ids[1] == ids[2] {
		t.Errorf("ce_ids %v; want the message's first, and no two the same", ids)
	}
	if got := l.value("dozaar_kafka_produced_records_total", map[string]string{"topic": "chat.messages"}); got != 1 {
		t.Errorf("produced records: %v; want 1", got)
	}
	if got := l.value("dozaar_kafka_produce_duration_seconds", map[string]string{"topic": "chat.receipts"}); got != 1 {
		t.Errorf("produce durations: %v; want 1", got)
	}
}

// While the broker is away a publish fails in bounded time; what was acknowledged is there when it is
// back, and the same producer goes on.
func TestBrokerAway(t *testing.T) {
	l := &log{t: t, config: kafka.Config{Brokers: []string{freeAddress(t)}}}
	dir, listen := t.TempDir(), l.config.Brokers[0]
	broker := startBroker(t, dir, listen)
	if _, err := kafka.EnsureTopics(t.Context(), kafka.TopicsConfig{Config: l.config, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	p := l.producer(func(c *kafka.ProducerConfig) { c.DeliveryTimeout = time.Second })
	conversation := chat.NewID()
	acknowledged := make(map[chat.ID]bool)
	send := func(text string) error {
		m := message(conversation, text)
		err := p.PublishMessage(t.Context(), m)
		if err == nil {
			acknowledged[m.ID] = true
		}
		return err
	}
	if err := send("before"); err != nil {
		t.Fatal(err)
	}

	broker.Close()
	for range 3 {
		start := time.Now()
		err := send("while away")
		if !errors.Is(err, chat.ErrUnavailable) {
			t.Errorf("a publish without a broker: %v; want ErrUnavailable", err)
		}
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("a publish without a broker took %s; the timeout is 1 s", took)
		}
	}

	broker = startBroker(t, dir, listen)
	t.Cleanup(func() { broker.Close() })
	eventually(t, "publishing works again", func() bool { return send("after") == nil })
	there := make(map[chat.ID]bool)
	codec := newCodec(t)
	end, err := l.admin().ListEndOffsets(t.Context(), schemas.TopicMessages)
	if err != nil {
		t.Fatal(err)
	}
	last, _ := end.Lookup(schemas.TopicMessages, 0)
	for _, r := range l.read(schemas.TopicMessages, int(last.Offset)) {
		m, err := codec.DecodeMessage(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		there[m.ID] = true
	}
	for id := range acknowledged {
		if !there[id] {
			t.Errorf("message %s was acknowledged and is not in the log", id)
		}
	}
}

// A caller that goes away does not take others' messages with it.
func TestCallersContext(t *testing.T) {
	l := newLog(t, 1)
	p := l.producer(func(c *kafka.ProducerConfig) { c.Linger = 300 * time.Millisecond })
	conversation := chat.NewID()
	impatient, cancel := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- p.PublishMessage(impatient, message(conversation, "first of the batch")) }()
	time.Sleep(50 * time.Millisecond)
	go func() { second <- p.PublishMessage(t.Context(), message(conversation, "same batch")) }()
	time.Sleep(50 * time.Millisecond)
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) || !errors.Is(err, chat.ErrUnavailable) {
		t.Errorf("the caller that went away: %v", err)
	}
	if err := <-second; err != nil {
		t.Errorf("the other caller: %v", err)
	}
}

// A full buffer refuses at once: it does not make callers wait, nor take their memory.
func TestBufferIsBounded(t *testing.T) {
	l := &log{t: t, config: kafka.Config{Brokers: []string{freeAddress(t)}}} // nobody is there
	p := l.producer(func(c *kafka.ProducerConfig) {
		c.MaxBufferedRecords, c.DeliveryTimeout = 3, 500*time.Millisecond
	})
	results := make(chan time.Duration, 20)
	for range 20 {
		go func() {
			start := time.Now()
			if err := p.PublishMessage(t.Context(), message(chat.NewID(), "x")); !errors.Is(err, chat.ErrUnavailable) {
				t.Errorf("%v; want ErrUnavailable", err)
			}
			results <- time.Since(start)
		}()
	}
	quick := 0
	for range 20 {
		if <-results < 250*time.Millisecond {
			quick++
		}
	}
	if quick < 17 {
		t.Errorf("%d of 20 publishes were refused at once; want 17, since the buffer takes 3", quick)
	}
}

func TestTooLargeIsNotUnavailable(t *testing.T) {
	l := newLog(t, 1)
	p := l.producer(nil)
	err := p.PublishMessage(t.Context(), message(chat.NewID(), strings.Repeat("x", 2<<20)))
	if err == nil || errors.Is(err, chat.ErrUnavailable) {
		t.Errorf("%v; want an error that no retry is promised to mend", err)
	}
}

// The largest conversation there may be is published and read.
func TestLargestConversation(t *testing.T) {
	l := newLog(t, 1)
	p := l.producer(nil)
	e := chat.ConversationEvent{Change: chat.Created, At: time.Now(), Conversation: chat.Conversation{ID: chat.NewID(), CreatedAt: time.Now()}}
	for range chat.MaxMembers {
		e.Conversation.Members = append(e.Conversation.Members, chat.Member{UserID: chat.NewID(), Username: strings.Repeat("🦉", chat.MaxUsernameChars), Role: strings.Repeat("🦉", chat.MaxRoleChars)})
	}
	if err := p.PublishConversation(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	got, err := newCodec(t).DecodeConversationEvent(l.read(schemas.TopicConversations, 1)[0].Value)
	if err != nil || len(got.Conversation.Members) != chat.MaxMembers {
		t.Errorf("%d members, %v", len(got.Conversation.Members), err)
	}
}

func TestDeadLetter(t *testing.T) {
	l := newLog(t, 2)
	p := l.producer(nil)
	record := kafka.Record{
		Topic: schemas.TopicMessages, Partition: 1, Position: chat.Position{Epoch: 4, Offset: 77},
		Key: []byte("some key"), Value: []byte{9, 8, 7, 0},
		Headers: []kafka.Header{{Key: "ce_id", Value: []byte("abc")}, {Key: "x", Value: nil}},
		Time:    time.UnixMilli(1_700_000_000_123),
	}
	why := errors.New("it is\nnot in " + strings.Repeat("any known framing ", 100) + "🦉")
	if err := p.DeadLetter(t.Context(), record, why); err != nil {
		t.Fatal(err)
	}
	got := l.read(schemas.TopicDeadLetter, 1)[0]
	if !bytes.Equal(got.Key, record.Key) || !bytes.Equal(got.Value, record.Value) {
		t.Errorf("key %q, value % x; want them as they were", got.Key, got.Value)
	}
	if age := time.Since(got.Timestamp); age > time.Minute {
		t.Errorf("its time is %s ago; want now, or retention takes it at once", age)
	}
	h := headers(got)
	for key, want := range map[string]string{
		"ce_id": "abc", "x": "", "dlq_topic": "chat.messages", "dlq_partition": "1", "dlq_offset": "77", "dlq_epoch": "4",
		"dlq_produced_at": "2023-11-14T22:13:20.123Z",
	} {
		if v, ok := h[key]; !ok || v != want {
			t.Errorf("header %s is %q; want %q", key, v, want)
		}
	}
	if r := h["dlq_reason"]; !strings.HasPrefix(r, "it is not in any known framing") || len(r) > 1024 {
		t.Errorf("dlq_reason is %q", r)
	}
	if got := l.value("dozaar_kafka_dead_letters_total", map[string]string{"topic": "chat.messages"}); got != 1 {
		t.Errorf("dead letters: %v; want 1", got)
	}
}
