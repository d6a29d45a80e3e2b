package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/schemas"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Encoder makes the values of records; schemas.Codec is one.
type Encoder interface {
	EncodeMessage(chat.Message) ([]byte, error)
	EncodeReceipt(chat.Receipt) ([]byte, error)
	EncodeConversationEvent(chat.ConversationEvent) ([]byte, error)
	EncodeStored(chat.Message) ([]byte, error)
	EncodeErasure(chat.ErasureEvent) ([]byte, error)
	EncodePresence(chat.PresenceChange) ([]byte, error)
	EncodeNotification(chat.Notification) ([]byte, error)
}

// ProducerConfig is a Producer's configuration. Every zero field has a default.
type ProducerConfig struct {
	Config

	Source             string        // ce_source, a URI reference; default "/dozaar"
	DeliveryTimeout    time.Duration // how long a publish may take; default 10 s
	MaxBufferedRecords int           // more are refused at once, as unavailable; default 20,000
	MaxBufferedBytes   int           // the same, in bytes; default 64 MiB

	// Patient never gives a record up, nor refuses one because many wait: for PublishStored, whose callers go on trying
	// and bound what they have under way. The three bounds above do not hold for it.
	Patient bool

	// Linger is how long a record waits for others to share a request with. The default is none, not the
	// library's 10 ms: measured (BenchmarkLinger), it adds itself to the latency of a quiet system and
	// gains nothing in a busy one, where records gather behind the requests that are under way.
	Linger time.Duration
}

func (c *ProducerConfig) defaults() error {
	if err := c.Config.defaults(); err != nil {
		return err
	}
	if c.Source == "" {
		c.Source = "/dozaar"
	}
	if c.DeliveryTimeout <= 0 {
		c.DeliveryTimeout = 10 * time.Second
	}
	if c.MaxBufferedRecords <= 0 {
		c.MaxBufferedRecords = 20_000
	}
	if c.MaxBufferedBytes <= 0 {
		c.MaxBufferedBytes = 64 << 20
	}
	return nil
}

// recordPatience is how long the client tries to deliver a record, also when its publisher has been told that it could not be
// learned in time. Were it as short as a delivery may take, records would be given up while the requests that have them wait
// for a connection. The client then writes those without the records, which Kafka does not answer, and what follows on the
// connection waits until the request is given up.
const recordPatience = time.Minute

// Producer publishes events. It is safe for concurrent use.
type Producer struct {
	cfg     ProducerConfig
	codec   Encoder
	client  *kgo.Client
	metrics *producerMetrics
	refusal atomic.Pointer[error]
}

// NewProducer makes a producer. It does not wait for the cluster: until that answers, publishes fail as
// unavailable. Close it.
func NewProducer(cfg ProducerConfig, codec Encoder) (*Producer, error) {
	if err := cfg.defaults(); err != nil {
		return nil, err
	}
	topics, err := schemas.Topics()
	if err != nil {
		return nil, err
	}
	metrics, err := newProducerMetrics(cfg.Registerer)
	if err != nil {
		return nil, err
	}
	name, bounds := "producer", []kgo.Opt{
		kgo.MaxBufferedRecords(cfg.MaxBufferedRecords),
		kgo.MaxBufferedBytes(cfg.MaxBufferedBytes),
		kgo.RecordDeliveryTimeout(recordPatience),
	}
	if cfg.Patient {
		name, bounds = "patient producer", []kgo.Opt{kgo.MaxBufferedRecords(math.MaxInt32), kgo.UnknownTopicRetries(-1)}
	}
	client, err := kgo.NewClient(cfg.options(append(bounds,
		clientMetrics(cfg.Registerer, name),
		// Idempotence is the client's default, and it needs this: on all in-sync replicas.
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), // murmur2 of the key, as every Kafka client does it
		kgo.ProducerLinger(cfg.Linger),
		kgo.ProducerBatchCompression(kgo.SnappyCompression(), kgo.NoCompression()),
		kgo.ProducerBatchMaxBytesFn(batchLimit(topics)),
		// Less than a delivery may take: there is time to try the broker that took over. The broker forgets nothing
		// that it does late, and the idempotent producer repeats nothing.
		kgo.ProduceRequestTimeout(max(cfg.DeliveryTimeout/4, time.Second)),
	)...)...)
	if err != nil {
		return nil, fmt.Errorf("kafka producer: %w", err)
	}
	return &Producer{cfg: cfg, codec: codec, client: client, metrics: metrics}, nil
}

// batchLimit keeps a batch under its topic's max.message.bytes, with room for its header.
func batchLimit(topics []schemas.Topic) func(string) int32 {
	const header, ordinary = 1024, 1_000_012
	limits := make(map[string]int32, len(topics))
	for _, t := range topics {
		limits[t.Name] = t.MaxMessageBytes - header
	}
	return func(topic string) int32 {
		if limit, ok := limits[topic]; ok {
			return limit
		}
		return ordinary
	}
}

// Close waits for what is buffered, no longer than ctx, and ends the client. A patient producer does not wait: who has
// not heard by then publishes again.
func (p *Producer) Close(ctx context.Context) error {
	var err error
	if !p.cfg.Patient {
		err = p.client.Flush(ctx)
	}
	p.client.Close()
	if err != nil {
		return fmt.Errorf("kafka producer: flush: %w", err)
	}
	return nil
}

// Ready tells whether a broker answers.
func (p *Producer) Ready(ctx context.Context) error { return p.client.Ping(ctx) }

// Refuse has every publish fail from here on, as unavailable: what the topics' names stand for is another log now,
// and nobody shall be told that a message is safe in it. One that was under way fails too.
func (p *Producer) Refuse(why error) { p.refusal.CompareAndSwap(nil, &why) }

func (p *Producer) refused() error {
	if why := p.refusal.Load(); why != nil {
		return *why
	}
	return nil
}

// PublishMessage returns nil when all in-sync replicas have the message, chat.ErrUnavailable (wrapped)
// when that could not be learned in time, and another error when no retry would help. What was unavailable may still
// arrive within a minute.
func (p *Producer) PublishMessage(ctx context.Context, m chat.Message) error {
	value, err := p.codec.EncodeMessage(m)
	if err != nil {
		return err
	}
	return p.event(ctx, schemas.MessageSent, m.ConversationID, m.ID, m.CreatedAt, value)
}

// PublishReceipt is PublishMessage for a read mark.
func (p *Producer) PublishReceipt(ctx context.Context, r chat.Receipt) error {
	value, err := p.codec.EncodeReceipt(r)
	if err != nil {
		return err
	}
	return p.event(ctx, schemas.MessageRead, r.ConversationID, chat.NewID(), r.At, value)
}

// PublishConversation is PublishMessage for a change of a conversation.
func (p *Producer) PublishConversation(ctx context.Context, e chat.ConversationEvent) error {
	value, err := p.codec.EncodeConversationEvent(e)
	if err != nil {
		return err
	}
	return p.event(ctx, schemas.ConversationChanged, e.Conversation.ID, chat.NewID(), e.At, value)
}

// PublishErasure is PublishMessage for an erasure.
func (p *Producer) PublishErasure(ctx context.Context, e chat.ErasureEvent) error {
	value, err := p.codec.EncodeErasure(e)
	if err != nil {
		return err
	}
	return p.event(ctx, schemas.UserErased, e.UserID, chat.NewID(), e.At, value)
}

// PublishPresence is PublishMessage for somebody coming online or going offline.
func (p *Producer) PublishPresence(ctx context.Context, c chat.PresenceChange) error {
	value, err := p.codec.EncodePresence(c)
	if err != nil {
		return err
	}
	return p.event(ctx, schemas.PresenceChanged, c.UserID, chat.NewID(), c.At, value)
}

// PublishNotification is PublishMessage for a member who is to be called.
func (p *Producer) PublishNotification(ctx context.Context, n chat.Notification) error {
	value, err := p.codec.EncodeNotification(n)
	if err != nil {
		return err
	}
	return p.event(ctx, schemas.NotificationDue, n.UserID, n.ID, n.At, value)
}

// event publishes a record whose key is an id: that of a conversation, or of a user.
func (p *Producer) event(ctx context.Context, e schemas.Event, key, id chat.ID, at time.Time, value []byte) error {
	return p.publish(ctx, p.record(e, key, id, at, value, chat.TraceParent(ctx)))
}

func (p *Producer) record(e schemas.Event, key, id chat.ID, at time.Time, value []byte, traceparent string) *kgo.Record {
	return &kgo.Record{
		Topic:   e.Topic,
		Key:     []byte(key.String()),
		Value:   value,
		Headers: cloudEvent(id, e.Type, p.cfg.Source, at, traceparent),
	}
}

// publish hands a record to the client and waits for the brokers' word, for the caller or for the time.
//
// The client is not given the caller's context: when the first record of a batch is cancelled, it fails
// every record that waits for the same partition, and those are other people's messages.
func (p *Producer) publish(ctx context.Context, r *kgo.Record) error {
	timeout := time.NewTimer(p.cfg.DeliveryTimeout)
	defer timeout.Stop()
	start := time.Now()
	if err := p.refused(); err != nil {
		p.metrics.failed(r.Topic)
		return fmt.Errorf("publish to %s: %w: %w", r.Topic, chat.ErrUnavailable, err)
	}
	done := make(chan error, 1)
	p.client.TryProduce(context.WithoutCancel(ctx), r, func(_ *kgo.Record, err error) { done <- err })

	var err error
	select {
	case err = <-done:
	case <-timeout.C:
		err = fmt.Errorf("no answer in %s", p.cfg.DeliveryTimeout)
	case <-ctx.Done():
		err = ctx.Err()
	}
	err = cmp.Or(err, p.refused())
	if err == nil {
		p.metrics.published(ctx, r.Topic, time.Since(start))
		return nil
	}
	p.metrics.failed(r.Topic)
	if permanent(err) {
		return fmt.Errorf("publish to %s: %w", r.Topic, err)
	}
	return fmt.Errorf("publish to %s: %w: %w", r.Topic, chat.ErrUnavailable, err)
}

// permanent tells the failures that are the record's own fault.
func permanent(err error) bool {
	return tooLarge(err) || errors.Is(err, kerr.InvalidRecord)
}
