package deliver

import (
	"context"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/pkg/relay"
	"github.com/dozaar/dozaar/schemas"
)

// receiptWorker delivers chat.receipts: the store gets the greatest mark of each reader and conversation,
// the message's sender and the reader's devices are told of every one.
type receiptWorker struct{ *Deliver }

func (w receiptWorker) process(ctx context.Context, batch []kafka.Record) error {
	w.metrics.batchRecords.WithLabelValues(schemas.TopicReceipts).Observe(float64(len(batch)))
	receipts, err := siftAll(ctx, w.Deliver, kind[chat.Receipt]{
		decode: w.Decoder.DecodeReceipt,
		key:    func(r chat.Receipt) chat.ID { return r.ConversationID },
		check:  checkReceipt,
	}, batch)
	if err != nil {
		return err
	}
	marks := make([]chat.ReadMark, len(receipts))
	for i, r := range receipts {
		marks[i] = r.value.ReadMark
	}
	if err := w.putReadMarks(ctx, marks); err != nil {
		return err
	}
	return w.rebroadcast(ctx, receipts)
}

// rebroadcast tells the receipts to those of sender and reader who are still members. A receipt for one's own
// message is not news to anybody.
func (w receiptWorker) rebroadcast(ctx context.Context, receipts []sound[chat.Receipt]) error {
	var conversations audience
	for _, r := range receipts {
		conversations.add(r.value.ConversationID)
	}
	members, err := w.memberships(ctx, conversations.ids)
	if err != nil {
		return err
	}
	var users audience
	var reads []relay.Read
	for _, r := range receipts {
		read := readOf(r.value, members[r.value.ConversationID])
		users.add(read.To...)
		reads = append(reads, read)
	}
	return w.tell(ctx, schemas.TopicReceipts, users.ids, nil, func(o owners) []relay.Addressed {
		var out []relay.Addressed
		for _, read := range reads {
			at := o.leases(read.To)
			for _, gateway := range o.of(nil, read.To...) {
				here := read
				here.To = at[gateway]
				out = append(out, relay.Addressed{Gateway: gateway, Envelope: relay.Envelope{Read: &here}})
			}
		}
		return out
	})
}

// readOf is a receipt and to whom it is told.
func readOf(r chat.Receipt, members membership) relay.Read {
	read := relay.Read{MessageID: r.MessageID, ConversationID: r.ConversationID, Seq: r.Seq, ReadBy: r.UserID, At: r.At}
	if r.SenderID == r.UserID {
		return read
	}
	for _, user := range []chat.ID{r.SenderID, r.UserID} {
		if members.has(user) {
			read.To = append(read.To, user)
		}
	}
	return read
}

// putReadMarks stores the greatest of the marks of each user and conversation.
func (d *Deliver) putReadMarks(ctx context.Context, marks []chat.ReadMark) error {
	if len(marks) == 0 {
		return nil
	}
	marks = greatest(marks)
	return d.insist(ctx, "put_read_marks", func(ctx context.Context) error {
		return d.Store.PutReadMarks(ctx, marks)
	})
}

// greatest is the greatest mark of each user and conversation, in the order of the first ones.
func greatest(marks []chat.ReadMark) []chat.ReadMark {
	type reader struct{ conversation, user chat.ID }
	at := map[reader]int{}
	var out []chat.ReadMark
	for _, m := range marks {
		who := reader{m.ConversationID, m.UserID}
		i, seen := at[who]
		if !seen {
			at[who] = len(out)
			out = append(out, m)
			continue
		}
		out[i].Seq = max(out[i].Seq, m.Seq)
	}
	return out
}
