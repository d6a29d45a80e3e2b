package deliver

import (
	"cmp"
	"context"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/tracing"
	"github.com/dozaar/dozaar/schemas"
)

// deliver takes a slice, records of one conversation, all the way: drop duplicates, number, store, remember, tell. It
// returns those that are fresh, with their numbers. Everything of the conversation at lower positions was delivered when it
// is called. It fails only when ctx has ended.
func (w *messageWorker) deliver(ctx context.Context, slice []entry) (fresh []entry, err error) {
	ctx, end := w.traced(ctx, slice)
	defer func() { end(err) }()
	w.metrics.batchRecords.WithLabelValues(schemas.TopicMessages).Observe(float64(len(slice)))
	stored, base, err := w.read(ctx, slice)
	if err != nil {
		return nil, err
	}
	fresh, conflicts := w.dropDuplicates(slice, stored)
	for i := range fresh {
		fresh[i].Seq = base + int64(i) + 1
	}
	if err := w.store(ctx, fresh); err != nil {
		return nil, err
	}
	if len(fresh) == 0 {
		turnOf(ctx).stored()
		return nil, w.rebroadcast(ctx, nil, conflicts, nil)
	}
	// Told it may be now, and in the inboxes it has to be before the slice is done. Beside each other, but that the word
	// waits a moment for the inboxes.
	inboxes := make(chan struct{})
	return fresh, beside(ctx, func(ctx context.Context) error {
		defer close(inboxes)
		defer turnOf(ctx).stored()
		return w.insist(ctx, "put_inboxes", func(ctx context.Context) error {
			return w.Store.PutInboxes(ctx, []chat.Head{headOf(fresh)})
		})
	}, func(ctx context.Context) error { return w.rebroadcast(ctx, fresh, conflicts, inboxes) })
}

// beside does some things beside each other, the last of them in the caller's goroutine. The first failure ends the
// others. They are waited for by a channel, because the race detector does not see what came before a WaitGroup's Wait
// when all of a synctest bubble waits, as the model's does at each step.
func beside(ctx context.Context, all ...func(context.Context) error) error {
	last := len(all) - 1
	if last == 0 {
		return all[0](ctx)
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	run := func(do func(context.Context) error) error {
		err := do(ctx)
		if err != nil {
			end(err)
		}
		return err
	}
	ended := make(chan error, last)
	for _, do := range all[:last] {
		go func() { ended <- run(do) }()
	}
	err := run(all[last])
	for range last {
		err = cmp.Or(<-ended, err)
	}
	if err != nil {
		return context.Cause(ctx) // the first
	}
	return nil
}

// read asks for everything that a slice needs to know, beside each other: which of its ids are stored, the last
// number before it, and, where they are not remembered, the members, so that telling need not wait for them.
func (w *messageWorker) read(ctx context.Context, slice []entry) (stored map[chat.ID]chat.StoredID, base int64, err error) {
	conversation := slice[0].ConversationID
	var all []func(context.Context) error
	base, remembered := w.numbers.last(conversation)
	if remembered {
		w.metrics.bases.WithLabelValues("memory").Inc()
	} else {
		all = append(all, func(ctx context.Context) (err error) {
			base, err = w.coldBase(ctx, conversation, slice[0].Position)
			return err
		})
	}
	if _, found := w.members.get(conversation); !found {
		all = append(all, func(ctx context.Context) error {
			_, err := w.memberships(ctx, []chat.ID{conversation})
			return err
		})
	}
	all = append(all, func(ctx context.Context) (err error) {
		stored, err = w.storedByID(ctx, slice)
		return err
	})
	err = beside(ctx, all...)
	return stored, base, err
}

// store returns once the messages are part of the history: rows by message and by id, and beside them the senders' own
// marks, so that nobody's own message counts as unread; then the head, because nobody reads past it and
// everybody reads up to it. What was stored is remembered: the conversation's next slice is numbered from it.
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
	if err := beside(ctx, func(ctx context.Context) error { return w.putReadMarks(ctx, marks) }, func(ctx context.Context) error {
		return w.insist(ctx, "put_messages", func(ctx context.Context) error {
			return w.Store.PutMessages(ctx, rows)
		})
	}); err != nil {
		return err
	}
	head := headOf(fresh)
	if err := w.insist(ctx, "put_heads", func(ctx context.Context) error {
		return w.Store.PutHeads(ctx, []chat.Head{head})
	}); err != nil {
		return err
	}
	w.numbers.remember(head.ConversationID, head.Seq)
	w.metrics.numbered.Add(float64(len(fresh)))
	now := w.Clock()
	for _, e := range fresh {
		tracing.Observe(ctx, w.metrics.producedToStored, max(0, now.Sub(e.produced).Seconds()))
	}
	return nil
}

// headOf is the conversation's head after its last message.
func headOf(fresh []entry) chat.Head {
	e := fresh[len(fresh)-1]
	return chat.Head{ConversationID: e.ConversationID, Seq: e.Seq, Position: e.Position, ActivityAt: e.CreatedAt}
}
