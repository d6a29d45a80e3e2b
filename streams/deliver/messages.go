package deliver

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
)

// messageWorker delivers one assignment of one partition of chat.messages.
type messageWorker struct {
	*Deliver
	numbers *numbers
	next    chat.Position // what is remembered is true for a record here and nowhere else; of Run alone
}

func newMessageWorker(d *Deliver) *messageWorker {
	return &messageWorker{Deliver: d, numbers: newNumbers(d.Remember)}
}

// entry is a sound record on its way.
type entry struct {
	chat.StoredMessage
	hash        [32]byte
	produced    time.Time
	traceParent string             // the record's, to be passed on
	trace       *trace.SpanContext // nil: it is not traced
}

// Run implements kafka.Worker. One goroutine takes the records in their order and sifts them; what passes goes
// into the lanes, where each conversation is delivered by itself, and from there into those where each is published by itself.
func (w *messageWorker) Run(ctx context.Context, from kafka.Records) error {
	work, ctx := errgroup.WithContext(ctx)
	out := newLanes(ctx, work, w.publishing, w.Slice, func(ctx context.Context, slice []entry) error {
		if err := w.publish(ctx, slice); err != nil {
			return err
		}
		from.Done(positions(slice)...)
		return nil
	})
	in := newLanes(ctx, work, w.slots, w.Slice, func(ctx context.Context, slice []entry) error {
		fresh, err := w.deliver(ctx, slice)
		if err != nil {
			return err
		}
		out.add(fresh)
		from.Done(dropped(slice, fresh)...)
		return nil
	})
	work.Go(func() error {
		for {
			batch, err := from.Take(ctx)
			if err != nil {
				return err
			}
			if err := w.intake(ctx, batch, in, from); err != nil {
				return err
			}
		}
	})
	return work.Wait()
}

// intake sifts records and puts those that pass into the lanes. At a jump in offsets somebody else may have numbered
// what lies between, or this worker has been ahead of where it is now: what comes after it must not be
// numbered from what was remembered before it. So all before it is finished first, and then forgotten.
func (w *messageWorker) intake(ctx context.Context, batch []kafka.Record, in *lanes, from kafka.Records) error {
	for len(batch) > 0 {
		if batch[0].Position != w.next {
			if err := in.drain(ctx); err != nil {
				return err
			}
			w.numbers.forget()
		}
		n := contiguous(batch)
		if err := w.sift(ctx, batch[:n], in, from); err != nil {
			return err
		}
		w.next = after(batch[n-1].Position)
		batch = batch[n:]
	}
	return nil
}

// sift puts everything before a dead letter into the lanes while that is being buried, and nothing after it.
func (w *messageWorker) sift(ctx context.Context, records []kafka.Record, in *lanes, from kafka.Records) error {
	return sift(ctx, w.Deliver, messageKind(w.Decoder), records, func(passed []sound[chat.Message]) {
		entries := make([]entry, len(passed))
		for i, p := range passed {
			entries[i] = entry{chat.StoredMessage{Message: p.value, Position: p.Position}, p.value.BodyHash(), p.Time, soundTrace(p.Record), p.Trace}
		}
		in.add(entries)
	}, func(buried kafka.Record) { from.Done(buried.Position) })
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

// dropped are the positions of a slice's entries that are not fresh. Both are in the log's order.
func dropped(slice, fresh []entry) (list []chat.Position) {
	for _, e := range slice {
		if len(fresh) > 0 && fresh[0].Position == e.Position {
			fresh = fresh[1:]
			continue
		}
		list = append(list, e.Position)
	}
	return list
}

func positions(slice []entry) []chat.Position {
	list := make([]chat.Position, len(slice))
	for i, e := range slice {
		list[i] = e.Position
	}
	return list
}
