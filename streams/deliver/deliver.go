package deliver

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/pkg/relay"
	"github.com/dozaar/dozaar/schemas"
)

// A Store keeps what is delivered. Every write is idempotent and may be repeated, late or out of order:
// of two rows of one seq the greater position stays, of two heads or marks the greater seq. What PutHeads has
// stored is part of the history; PutInboxes has the members' inboxes follow.
type Store interface {
	Conversation(ctx context.Context, id chat.ID) (chat.Conversation, error)
	Heads(ctx context.Context, conversations []chat.ID) (map[chat.ID]chat.Head, error)
	LastBefore(ctx context.Context, conversation chat.ID, p chat.Position) (seq int64, err error)
	StoredByID(ctx context.Context, ids []chat.ID) (map[chat.ID]chat.StoredID, error)
	PutMessages(ctx context.Context, messages []chat.StoredMessage) error
	PutHeads(ctx context.Context, heads []chat.Head) error
	PutInboxes(ctx context.Context, heads []chat.Head) error
	PutReadMarks(ctx context.Context, marks []chat.ReadMark) error
}

// Owners knows which gateways have sockets of a user, and in a conversation's room.
type Owners interface {
	Owners(ctx context.Context, users, conversations []chat.ID) (byUser, byConversation map[chat.ID][]string, err error)
}

// A Sender appends envelopes to gateways' streams. It counts them for the gateway even where the append
// failed, so that the gateway notices.
type Sender interface {
	Send(ctx context.Context, envelopes []relay.Addressed) error
	// Lost has every gateway notice that it may have missed something.
	Lost()
}

// DeadLetters takes a record that cannot be delivered; nil means that Kafka has it.
type DeadLetters interface {
	DeadLetter(ctx context.Context, record kafka.Record, why error) error
}

// A Publisher puts messages of one conversation, with their numbers, into chat.messages.stored, in their order; nil means
// that Kafka has them. Whatever was published before an error may be there: all of it is published again, but where that is
// kafka.ErrTooLarge; then one that is too large by itself is buried.
type Publisher interface {
	PublishStored(ctx context.Context, messages []kafka.Stored) error
	BuryStored(ctx context.Context, message kafka.Stored, why error) error
}

// A Decoder reads values. schemas.ErrPoison says that the bytes are to blame; any other error, that it
// could not tell and wants to be asked again.
type Decoder interface {
	DecodeMessage(value []byte) (chat.Message, error)
	DecodeReceipt(value []byte) (chat.Receipt, error)
	DecodeConversationEvent(value []byte) (chat.ConversationEvent, error)
}

// Config is what Deliver needs. Durations and bounds that are zero get the defaults named beside them.
type Config struct {
	Store       Store
	Owners      Owners
	Sender      Sender
	DeadLetters DeadLetters
	Publisher   Publisher
	Decoder     Decoder
	Logger      *slog.Logger          // nil: nothing is logged
	Registerer  prometheus.Registerer // nil: metrics are counted and not exported
	Tracer      trace.Tracer          // nil: nothing is traced
	Clock       func() time.Time      // time.Now
	// PartitionOf says in which partition a key's records belong. One that somebody put into another has a
	// position that cannot be compared with its conversation's others, and is refused. Nil: not checked.
	PartitionOf func(topic string, key []byte) int32

	// MembersMaxAge is how old the members may be to whom a message is told: 4 s, which leaves a second
	// of the five in which a change of members must take effect everywhere.
	MembersMaxAge time.Duration
	// RelayPatience is for how long one slice waits for Redis: 4 s. It must be more than the silence of
	// a sender (3 s) after which a gateway reads its rooms' heads again: whatever is given up here has
	// then been noticed there.
	RelayPatience time.Duration
	// RetryFirst and RetryMax bound the jittered pauses between attempts: 50 ms, growing to 5 s.
	RetryFirst, RetryMax time.Duration
	// Remember is how many conversations' numbers one partition keeps in memory: 8,192. Others cost a read.
	Remember int
	// Slice is how many records of one conversation are dealt with together at most: 200.
	Slice int
	// Slices is how many slices are at work beside each other in this process: 512. One that takes longer than
	// ParkAfter, 250 ms, counts no more while others are done in time, and one of which a step has failed at once (slots.go).
	Slices    int
	ParkAfter time.Duration
	// ComplainAfter is how long a slice waits for chat.messages.stored before that is said, in the log and by Publishing: 10 s.
	ComplainAfter time.Duration
	// MarksEvery is how often one partition of receipts is read at most: 200 ms. What comes meanwhile is stored together.
	MarksEvery time.Duration
	// Reads is how many members of conversations a batch of receipts reads at once: 16.
	Reads int
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.MembersMaxAge, 4 * time.Second},
		{&c.RelayPatience, 4 * time.Second},
		{&c.RetryFirst, 50 * time.Millisecond},
		{&c.RetryMax, 5 * time.Second},
		{&c.ParkAfter, 250 * time.Millisecond},
		{&c.ComplainAfter, 10 * time.Second},
		{&c.MarksEvery, 200 * time.Millisecond},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	for _, n := range []struct {
		field *int
		value int
	}{{&c.Remember, 8192}, {&c.Slice, 200}, {&c.Slices, 512}, {&c.Reads, 16}} {
		if *n.field == 0 {
			*n.field = n.value
		}
	}
	return c
}

// Deliver makes workers. They share its dependencies, its metrics, its slots, and what it knows of members; each
// partition's numbering is its worker's own. It has no goroutine of its own.
type Deliver struct {
	Config
	log        *slog.Logger
	metrics    *metrics
	members    *memberCache
	slots      *slots
	publishing *slots // its own, so that a conversation whose publication waits keeps none from being delivered
	waiting    waiting
	lookups    *lookups
	complaints complaints
}

// New returns a Deliver.
func New(cfg Config) *Deliver {
	return newDeliver(cfg.withDefaults(), newMetrics(cfg.Registerer))
}

func newDeliver(cfg Config, m *metrics) *Deliver {
	return &Deliver{
		Config:     cfg,
		log:        cfg.Logger.With("component", "deliver"),
		metrics:    m,
		members:    newMemberCache(cfg.MembersMaxAge, cfg.Clock),
		slots:      newSlots(cfg.Slices, cfg.ParkAfter, func(change int) { m.parked.Add(float64(change)) }),
		publishing: newSlots(cfg.Slices, cfg.ParkAfter, func(change int) { m.unpublished.Add(float64(change)) }),
		lookups:    &lookups{owners: cfg.Owners, timeout: cfg.RelayPatience},
	}
}

// Topics are the topics for which there are workers.
func Topics() []string {
	return []string{schemas.TopicMessages, schemas.TopicReceipts, schemas.TopicConversations}
}

// Worker returns the worker of one assignment of one partition. It panics for a topic that is not one of
// Topics: somebody subscribed to what nobody here can do.
func (d *Deliver) Worker(topic string, partition int32) kafka.Worker {
	switch topic {
	case schemas.TopicMessages:
		return newMessageWorker(d)
	case schemas.TopicReceipts:
		return paced{kafka.InOrder(receiptWorker{d}.process), d.MarksEvery}
	case schemas.TopicConversations:
		return kafka.InOrder(conversationWorker{d}.process)
	}
	panic(fmt.Sprintf("deliver: there is no worker for partition %d of topic %s", partition, topic))
}
