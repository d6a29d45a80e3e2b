package deliver

import (
	"context"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
)

// messageWorker delivers one assignment of one partition of chat.messages.
type messageWorker struct {
	*Deliver
	numbers numbers
}

func newMessageWorker(d *Deliver) *messageWorker {
	return &messageWorker{Deliver: d, numbers: newNumbers(d.Remember)}
}

// entry is a sound record on its way.
type entry struct {
	chat.StoredMessage
	hash     [32]byte
	produced time.Time
}

// Process implements kafka.Worker. It cuts the batch where offsets jump: what comes after a jump must not
// be numbered from what was remembered before it, and is numbered only once everything before is stored.
func (w *messageWorker) Process(ctx context.Context, batch []kafka.Record) error {
	w.metrics.batchRecords.WithLabelValues(schemas.TopicMessages).Observe(float64(len(batch)))
	for len(batch) > 0 {
		n := contiguous(batch)
		if err := w.deliver(ctx, batch[:n]); err != nil {
			return err
		}
		batch = batch[n:]
	}
	return nil
}

// contiguous is how many records follow each other without a jump.
func contiguous(batch []kafka.Record) int {
	for i := 1; i < len(batch); i++ {
		if batch[i].Position != after(batch[i-1].Position) {
			return i
		}
	}
	return len(batch)
}

func after(p chat.Position) chat.Position {
	p.Offset++
	return p
}

// deliver takes contiguous records all the way: sift, drop duplicates, number, store, remember, tell.
func (w *messageWorker) deliver(ctx context.Context, records []kafka.Record) error {
	passed, err := sift(ctx, w.Deliver, kind[chat.Message]{
		decode: w.Decoder.DecodeMessage,
		key:    func(m chat.Message) chat.ID { return m.ConversationID },
		check:  checkMessage,
	}, records)
	if err != nil {
		return err
	}
	entries := make([]entry, len(passed))
	for i, p := range passed {
		entries[i] = entry{chat.StoredMessage{Message: p.value, Position: p.Position}, p.value.BodyHash(), p.Time}
	}
	fresh, conflicts, err := w.dropDuplicates(ctx, entries)
	if err != nil {
		return err
	}
	if err := w.number(ctx, records[0].Position, fresh); err != nil {
		return err
	}
	if err := w.store(ctx, fresh); err != nil {
		return err
	}
	w.numbers.remember(fresh, after(records[len(records)-1].Position))
	return w.rebroadcast(ctx, fresh, conflicts)
}

// store returns once the messages are part of the history: rows first, by message and by id, then the
// senders' own marks, so that nobody's own message counts as unread, and then the heads, because nobody
// reads past a head and everybody reads up to it.
func (w *messageWorker) store(ctx context.Context, fresh []entry) error {
	if len(fresh) == 0 {
		return nil
	}
	rows := make([]chat.StoredMessage, len(fresh))
	marks := make([]chat.ReadMark, len(fresh))
	for i, e := range fresh {
		rows[i] = e.StoredMessage
		marks[i] = chat.ReadMark{ConversationID: e.ConversationID, UserID: e.Sender.ID, Seq: e.Seq}
	}
	if err := w.insist(ctx, "put_messages", func(ctx context.Context) error {
		return w.Store.PutMessages(ctx, rows)
	}); err != nil {
		return err
	}
	if err := w.putReadMarks(ctx, marks); err != nil {
		return err
	}
	heads := headsOf(fresh)
	if err := w.insist(ctx, "put_heads", func(ctx context.Context) error {
		return w.Store.PutHeads(ctx, heads)
	}); err != nil {
		return err
	}
	w.metrics.numbered.Add(float64(len(fresh)))
	now := w.Clock()
	for _, e := range fresh {
		w.metrics.producedToStored.Observe(max(0, now.Sub(e.produced).Seconds()))
	}
	return nil
}

// headsOf is the head of each conversation after its last message, in the order of the first ones.
func headsOf(fresh []entry) []chat.Head {
	at := map[chat.ID]int{}
	var heads []chat.Head
	for _, e := range fresh {
		i, seen := at[e.ConversationID]
		if !seen {
			i = len(heads)
			at[e.ConversationID] = i
			heads = append(heads, chat.Head{})
		}
		heads[i] = chat.Head{ConversationID: e.ConversationID, Seq: e.Seq, Position: e.Position, ActivityAt: e.CreatedAt}
	}
	return heads
}
