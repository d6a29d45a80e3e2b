package notify

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
)

// A Store answers what is stored, and remembers who was called.
type Store interface {
	StoredByID(ctx context.Context, ids []chat.ID) (map[chat.ID]chat.StoredID, error)
	Conversation(ctx context.Context, id chat.ID) (chat.Conversation, error)
	Heads(ctx context.Context, ids []chat.ID) (map[chat.ID]chat.Head, error)
	ReadSeqs(ctx context.Context, conversation chat.ID, users []chat.ID) (map[chat.ID]int64, error)
	Settings(ctx context.Context, users []chat.ID) (map[chat.ID]chat.Settings, error)
	Called(ctx context.Context, conversation chat.ID, users []chat.ID) (map[chat.ID]chat.Call, error)
	PutCalled(ctx context.Context, calls []chat.Call) error
}

// A Directory answers who is there and when they came, at which gateways, and which gateways live; an error where it cannot say.
type Directory interface {
	Attendances(ctx context.Context, users []chat.ID) (map[chat.ID]chat.Attendance, error)
	Owners(ctx context.Context, users, conversations []chat.ID) (byUser, byConversation map[chat.ID][]string, err error)
	Gateways(ctx context.Context) ([]string, error)
}

// A Publisher returns once Kafka has the notification on all in-sync replicas, or with an error.
type Publisher interface {
	PublishNotification(ctx context.Context, n chat.Notification) error
}

// A Decoder reads values. schemas.ErrPoison says that the bytes are to blame.
type Decoder interface {
	DecodeMessage(value []byte) (chat.Message, error)
}

// Config is what Due needs. What has a value beside it has that default.
type Config struct {
	Store     Store
	Directory Directory
	Publisher Publisher
	Decoder   Decoder

	Delay  time.Duration // after which a message is looked at: 1 min
	MaxAge time.Duration // past this, and the delay, it is passed over: 1 h
	Repeat time.Duration // after which a member is called again who has not read; 0: never

	Clock      func() time.Time      // time.Now
	Logger     *slog.Logger          // nil: nothing is logged
	Registerer prometheus.Registerer // nil: metrics are counted and not exported
}

// Due finds whom to call.
type Due struct {
	Config
	log     *slog.Logger
	metrics *dueMetrics
	alive   *alive
}

// At once: so many conversations, and so many members of one.
const (
	conversationsAtOnce = 16
	membersAtOnce       = 100
)

// NewDue returns one.
func NewDue(cfg Config) *Due {
	cfg.Delay = cmp.Or(cfg.Delay, time.Minute)
	cfg.MaxAge = cmp.Or(cfg.MaxAge, time.Hour)
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Due{
		Config: cfg, log: cfg.Logger.With("component", "notify"), metrics: newDueMetrics(cfg.Registerer),
		alive: &alive{directory: cfg.Directory, clock: cfg.Clock, missed: map[string]time.Time{}},
	}
}

// Topics are what its workers read.
func (*Due) Topics() []string { return []string{schemas.TopicMessages} }

// Worker is the worker of one assignment of a partition of chat.messages.
func (d *Due) Worker(string, int32) kafka.Worker { return dueWorker{d} }

type dueWorker struct{ *Due }

// Run implements kafka.Worker. Kafka is where messages wait: a record is taken when those before it are done, and is looked
// at when it is old enough.
func (w dueWorker) Run(ctx context.Context, from kafka.Records) error {
	for {
		records, err := from.Take(ctx)
		if err != nil {
			return err
		}
		for len(records) > 0 {
			ready := w.ready(records)
			if ready == 0 {
				if err := sleep(ctx, w.Delay-w.Clock().Sub(records[0].Time)); err != nil {
					return err
				}
				continue
			}
			if err := w.lookAt(ctx, records[:ready]); err != nil {
				return err
			}
			done := make([]chat.Position, ready)
			for i, r := range records[:ready] {
				done[i] = r.Position
			}
			from.Done(done...)
			records = records[ready:]
		}
	}
}

// ready is how many of the first records are old enough. One of a clock that is ahead waits for the delay and no longer
// than that from now: it is dealt with as one that was sent now.
func (w dueWorker) ready(records []kafka.Record) int {
	now := w.Clock()
	for i := range records {
		if records[i].Time.After(now) {
			records[i].Time = now
		}
		if now.Sub(records[i].Time) < w.Delay {
			return i
		}
	}
	return len(records)
}

// lookAt sees to the conversations beside each other, and to the messages of one after each other: the second must find that
// somebody was called for the first.
func (d *Due) lookAt(ctx context.Context, records []kafka.Record) error {
	conversations := map[string][]kafka.Record{}
	for _, r := range records {
		conversations[string(r.Key)] = append(conversations[string(r.Key)], r)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(conversationsAtOnce)
	for _, records := range conversations {
		group.Go(func() error {
			for _, r := range records {
				if err := d.one(ctx, r); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// one sees to a message. It fails only when ctx has ended.
func (d *Due) one(ctx context.Context, r kafka.Record) error {
	var m chat.Message
	poison := false
	if err := d.insist(ctx, "decode", func(context.Context) (err error) {
		m, err = d.Decoder.DecodeMessage(r.Value)
		if errors.Is(err, schemas.ErrPoison) {
			poison, err = true, nil
		}
		return err
	}); err != nil {
		return err
	}
	if poison || string(r.Key) != m.ConversationID.String() || m.Validate() != nil {
		d.metrics.passed("invalid") // deliver puts it into the dead letters
		return nil
	}
	stored, why, err := d.stored(ctx, r, m)
	if err != nil {
		return err
	}
	if why != "" {
		d.metrics.passed(why)
		return nil
	}
	m.Seq = stored.Seq
	members, err := d.members(ctx, m)
	if err != nil {
		return err
	}
	for len(members) > 0 {
		n := min(membersAtOnce, len(members))
		if err := d.call(ctx, m, members[:n]); err != nil {
			return err
		}
		members = members[n:]
	}
	d.metrics.messages.WithLabelValues("seen").Inc()
	return nil
}

// stored waits until deliver has stored the message, and says why it is passed over, if it is.
func (d *Due) stored(ctx context.Context, r kafka.Record, m chat.Message) (stored chat.StoredID, why string, err error) {
	err = d.insist(ctx, "stored", func(ctx context.Context) error {
		if d.Clock().Sub(r.Time) > d.Delay+d.MaxAge {
			why = "late"
			return nil
		}
		found, err := d.Store.StoredByID(ctx, []chat.ID{m.ID})
		if err != nil {
			return err
		}
		var there bool
		if stored, there = found[m.ID]; !there {
			return errNotStored
		}
		switch {
		case stored.Position != r.Position:
			why = "duplicate" // a retry, or another body under the same client message id: the first one counts
		case stored.BodyHash == [32]byte{}:
			why = "erased" // the log has its text still; nobody else is to get it
		}
		return nil
	})
	return stored, why, err
}

var errNotStored = errors.New("the message is not stored yet")

func (d *Due) members(ctx context.Context, m chat.Message) (others []chat.ID, err error) {
	err = d.insist(ctx, "conversation", func(ctx context.Context) error {
		c, err := d.Store.Conversation(ctx, m.ConversationID)
		if errors.Is(err, chat.ErrNotFound) {
			return nil // nobody is a member of what is not there
		}
		others = others[:0]
		for _, member := range c.Members {
			if member.UserID != m.Sender.ID {
				others = append(others, member.UserID)
			}
		}
		return err
	})
	return others, err
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
