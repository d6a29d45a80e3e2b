package deliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/pkg/relay"
	"github.com/dozaar/dozaar/pkg/store/storetest"
	"github.com/dozaar/dozaar/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// outside is everything around Deliver: a store in memory, gateways, dead letters. It notes every call in
// order and lets those that a test names fail.
type outside struct {
	*storetest.Memory
	*schemas.Codec

	t        *testing.T
	onCall   func(call string)
	registry *prometheus.Registry

	byUser, byConversation map[chat.ID][]string

	mu        sync.Mutex // guards what follows while a worker is at work
	calls     []string
	failures  map[string]int // how often a call fails from now on; -1: always
	lost      int            // calls of Lost
	sent      []relay.Addressed
	buried    []buried
	published []kafka.Stored
	leftOut   []kafka.Stored
	tooLarge  int // how many bytes of text, of all messages together, chat.messages.stored does not take; 0: any number
	now       time.Time
}

type buried struct {
	record kafka.Record
	why    error
}

var errAway = errors.New("away")

func newOutside(t *testing.T) *outside {
	t.Helper()
	codec, err := schemas.NewCodec(t.Context(), fixedRegistry{})
	if err != nil {
		t.Fatal(err)
	}
	return &outside{
		Memory: storetest.NewMemory(), Codec: codec, t: t, failures: map[string]int{},
		byUser: map[chat.ID][]string{}, byConversation: map[chat.ID][]string{},
		now: simTime, registry: prometheus.NewRegistry(),
	}
}

// deliver is a Deliver in these surroundings, its pauses too short to be noticed.
func (o *outside) deliver() *Deliver {
	return New(Config{
		Store: o, Owners: o, Sender: o, DeadLetters: o, Publisher: o, Decoder: o, Logger: slog.New(slog.DiscardHandler),
		Registerer: o.registry, Clock: o.clock,
		RelayPatience: 20 * time.Millisecond, RetryFirst: time.Microsecond, RetryMax: time.Millisecond, MarksEvery: time.Nanosecond, Reads: 1,
	})
}

func (o *outside) clock() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

// pass lets time pass.
func (o *outside) pass(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now = o.now.Add(d)
}

func (o *outside) call(ctx context.Context, name string) error {
	o.mu.Lock()
	o.calls = append(o.calls, name)
	n := o.failures[name]
	if n != 0 {
		o.failures[name] = max(-1, n-1)
	}
	o.mu.Unlock()
	if o.onCall != nil {
		o.onCall(name)
	}
	if n != 0 {
		return fmt.Errorf("%s: %w", name, errAway)
	}
	return ctx.Err()
}

func (o *outside) Conversation(ctx context.Context, id chat.ID) (chat.Conversation, error) {
	if err := o.call(ctx, "Conversation"); err != nil {
		return chat.Conversation{}, err
	}
	return o.Memory.Conversation(ctx, id)
}

func (o *outside) Heads(ctx context.Context, ids []chat.ID) (map[chat.ID]chat.Head, error) {
	if err := o.call(ctx, "Heads"); err != nil {
		return nil, err
	}
	return o.Memory.Heads(ctx, ids)
}

func (o *outside) LastBefore(ctx context.Context, id chat.ID, p chat.Position) (int64, error) {
	if err := o.call(ctx, "LastBefore"); err != nil {
		return 0, err
	}
	return o.Memory.LastBefore(ctx, id, p)
}

func (o *outside) StoredByID(ctx context.Context, ids []chat.ID) (map[chat.ID]chat.StoredID, error) {
	if err := o.call(ctx, "StoredByID"); err != nil {
		return nil, err
	}
	return o.Memory.StoredByID(ctx, ids)
}

func (o *outside) PutMessages(ctx context.Context, messages []chat.StoredMessage) error {
	if err := o.call(ctx, "PutMessages"); err != nil {
		return err
	}
	return o.Memory.PutMessages(ctx, messages)
}

func (o *outside) PutHeads(ctx context.Context, heads []chat.Head) error {
	if err := o.call(ctx, "PutHeads"); err != nil {
		return err
	}
	return o.Memory.PutHeads(ctx, heads)
}

func (o *outside) PutInboxes(ctx context.Context, _ []chat.Head) error {
	return o.call(ctx, "PutInboxes")
}

func (o *outside) PutReadMarks(ctx context.Context, marks []chat.ReadMark) error {
	if err := o.call(ctx, fmt.Sprintf("PutReadMarks %d", len(marks))); err != nil {
		return err
	}
	return o.Memory.PutReadMarks(ctx, marks)
}

func (o *outside) Owners(ctx context.Context, _, _ []chat.ID) (byUser, byConversation map[chat.ID][]string, err error) {
	return o.byUser, o.byConversation, o.call(ctx, "Owners")
}

func (o *outside) Send(ctx context.Context, envelopes []relay.Addressed) error {
	if err := o.call(ctx, "Send"); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = append(o.sent, envelopes...)
	return nil
}

func (o *outside) Lost() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lost++
}

func (o *outside) DeadLetter(ctx context.Context, r kafka.Record, why error) error {
	if err := o.call(ctx, "DeadLetter"); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buried = append(o.buried, buried{r, why})
	return nil
}

func (o *outside) PublishStored(ctx context.Context, messages []kafka.Stored) error {
	if err := o.call(ctx, "PublishStored"); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	size := 0
	for _, m := range messages {
		size += len(m.Message.Text)
	}
	if o.tooLarge > 0 && size >= o.tooLarge {
		return fmt.Errorf("publish: %w", kafka.ErrTooLarge)
	}
	o.published = append(o.published, messages...)
	return nil
}

func (o *outside) BuryStored(ctx context.Context, message kafka.Stored, _ error) error {
	if err := o.call(ctx, "BuryStored"); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.leftOut = append(o.leftOut, message)
	return nil
}

func (o *outside) DecodeMessage(value []byte) (chat.Message, error) {
	o.mu.Lock()
	n := o.failures["DecodeMessage"]
	o.failures["DecodeMessage"] = max(0, n-1)
	o.mu.Unlock()
	if n != 0 {
		return chat.Message{}, errAway
	}
	return o.Codec.DecodeMessage(value)
}

// converse makes a conversation of some members.
func (o *outside) converse(id chat.ID, members ...chat.Member) {
	o.t.Helper()
	c := chat.Conversation{ID: id, Members: members, CreatedAt: simTime, Revision: 1}
	if _, _, err := o.CreateConversation(o.t.Context(), c); err != nil {
		o.t.Fatal(err)
	}
}

// record is a message's record at an offset.
func (o *outside) record(offset int64, m chat.Message) kafka.Record {
	o.t.Helper()
	value, err := o.EncodeMessage(m)
	return o.recordOf(schemas.TopicMessages, offset, m.ConversationID, value, err)
}

func (o *outside) recordOf(topic string, offset int64, key chat.ID, value []byte, err error) kafka.Record {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
	return kafka.Record{
		Topic: topic, Position: chat.Position{Epoch: 1, Offset: offset}, Key: []byte(key.String()), Value: value, Time: simTime,
	}
}

// assigned are the records of an assignment: handed out in some batches, one Take each.
type assigned struct {
	batches [][]kafka.Record
	allDone func() // called once all are

	mu   sync.Mutex
	open map[chat.Position]bool // guarded by mu; handed out, or to be, and not done
	done []chat.Position        // guarded by mu; in the order of getting done
}

func assign(allDone func(), batches ...[]kafka.Record) *assigned {
	a := &assigned{batches: batches, allDone: allDone, open: map[chat.Position]bool{}}
	for _, r := range slices.Concat(batches...) {
		a.open[r.Position] = true
	}
	return a
}

func (a *assigned) Take(ctx context.Context) ([]kafka.Record, error) {
	if len(a.batches) == 0 {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	batch := a.batches[0]
	a.batches = a.batches[1:]
	return batch, ctx.Err()
}

func (a *assigned) Done(positions ...chat.Position) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range positions {
		delete(a.open, p)
		a.done = append(a.done, p)
	}
	if len(a.open) == 0 {
		a.allDone()
	}
}

func (a *assigned) isOpen(offset int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.open[chat.Position{Epoch: 1, Offset: offset}]
}

func (a *assigned) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.done)
}

// process gives a worker a batch that it must finish.
func (o *outside) process(w kafka.Worker, batch ...kafka.Record) {
	o.t.Helper()
	ctx, cancel := context.WithCancel(o.t.Context())
	defer cancel()
	from := assign(cancel, batch)
	if err := w.Run(ctx, from); !errors.Is(err, context.Canceled) || len(from.open) > 0 {
		o.t.Fatalf("%d records are not done: %v", len(from.open), err)
	}
}

// seqs are the numbers that messages have in their conversations' history; 0 for one that is not there.
func (o *outside) seqs(messages ...chat.Message) []int64 {
	o.t.Helper()
	seqs := make([]int64, len(messages))
	for i, m := range messages {
		history, err := o.Messages(o.t.Context(), m.ConversationID, 0, 100)
		if err != nil {
			o.t.Fatal(err)
		}
		if at := slices.IndexFunc(history, func(h chat.Message) bool { return h.ID == m.ID }); at >= 0 {
			seqs[i] = history[at].Seq
		}
	}
	return seqs
}

// count is the sum of a counter or gauge, or a histogram's number of observations, over those of its series that have
// a label of this value; "" for all.
func (o *outside) count(name, label string) float64 {
	o.t.Helper()
	families, err := o.registry.Gather()
	if err != nil {
		o.t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			has := label == ""
			for _, l := range m.GetLabel() {
				has = has || l.GetValue() == label
			}
			if has {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

// fixedRegistry gives every subject the same id, as if each had a registry of its own.
type fixedRegistry struct{}

func (fixedRegistry) ID(context.Context, string, string) (int, error) { return 1, nil }
func (fixedRegistry) Schema(context.Context, int) (string, error) {
	return "", schemas.ErrNotRegistered
}

// People, a conversation and messages of the tests.
var (
	ann  = chat.Member{UserID: simID('a', 1), Username: "ann"}
	bob  = chat.Member{UserID: simID('a', 2), Username: "bob"}
	cyd  = chat.Member{UserID: simID('a', 3), Username: "cyd"}
	deal = simID(0xdd, 1)
)

// says is a message; client 0 means without a client message id.
func says(n int, conversation chat.ID, who chat.Member, client int, text string) chat.Message {
	d := chat.Draft{Text: text}
	if client != 0 {
		d.ClientMessageID = simID('k', client)
	}
	m := d.New(conversation, chat.User{ID: who.UserID, Username: who.Username}, simTime)
	if client == 0 {
		m.ID = simID('m', n)
	}
	return m
}
