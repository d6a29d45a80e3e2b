package deliver

import (
	"context"

	"github.com/dozaar/dozaar/pkg/chat"
)

// numbers is what one assignment remembers: the last number it gave in each of its recent conversations.
// It holds as long as the records follow each other; at a jump somebody else may have numbered what lies
// between, or this worker has been ahead of where it is now.
type numbers struct {
	last *lru[chat.ID, int64]
	next chat.Position // what it remembers is true for a record here and nowhere else
}

func newNumbers(bound int) numbers { return numbers{last: newLRU[chat.ID, int64](bound)} }

// recall forgets everything unless the next record is the one at p.
func (n *numbers) recall(p chat.Position) {
	if p != n.next {
		n.last.clear()
	}
}

// remember takes in what has been stored; the next record is the one at next. Until it is called nothing is
// forgotten or learnt, so that a failed attempt leaves the memory as it was.
func (n *numbers) remember(stored []entry, next chat.Position) {
	n.next = next
	for _, e := range stored {
		n.last.put(e.ConversationID, e.Seq, 1)
	}
}

// number gives each entry the number after its conversation's last one. from is the position of the first
// record of the contiguous run that the entries come from.
//
// The result depends on the log alone. By induction: every number given at lower positions is right and
// stored (see dropDuplicates). What is remembered was given by this worker just before. A head at a
// lower position than the entry's belongs to the last message before it, because heads never move back and
// cover everything that is lower. A head at the same or a higher position was written by somebody who
// is ahead, or by this log's previous reading; then the rows themselves tell what lies below.
func (w *messageWorker) number(ctx context.Context, from chat.Position, entries []entry) error {
	w.numbers.recall(from)
	last, err := w.bases(ctx, entries)
	if err != nil {
		return err
	}
	for i := range entries {
		e := &entries[i]
		last[e.ConversationID]++
		e.Seq = last[e.ConversationID]
	}
	return nil
}

// bases is the last number below the first entry of each conversation.
func (w *messageWorker) bases(ctx context.Context, entries []entry) (map[chat.ID]int64, error) {
	last := make(map[chat.ID]int64)
	var cold []entry // the first of each conversation that is not remembered
	for _, e := range entries {
		if _, done := last[e.ConversationID]; done {
			continue
		}
		seq, remembered := w.numbers.last.get(e.ConversationID)
		last[e.ConversationID] = seq
		if !remembered {
			cold = append(cold, e)
			continue
		}
		w.metrics.bases.WithLabelValues("memory").Inc()
	}
	if len(cold) == 0 {
		return last, nil
	}
	seqs, err := w.coldBases(ctx, cold)
	if err != nil {
		return nil, err
	}
	for i, e := range cold {
		last[e.ConversationID] = seqs[i]
	}
	return last, nil
}

// coldBases reads the bases of conversations that are not remembered: all heads in one go, then the rows
// of those whose head is not below the entry.
func (w *messageWorker) coldBases(ctx context.Context, cold []entry) ([]int64, error) {
	ids := make([]chat.ID, len(cold))
	for i, e := range cold {
		ids[i] = e.ConversationID
	}
	var heads map[chat.ID]chat.Head
	if err := w.insist(ctx, "heads", func(ctx context.Context) (err error) {
		heads, err = w.Store.Heads(ctx, ids)
		return err
	}); err != nil {
		return nil, err
	}
	seqs := make([]int64, len(cold))
	var ahead []int // those whose head is not below the entry
	for i, e := range cold {
		head, found := heads[e.ConversationID]
		switch {
		case !found:
			w.metrics.bases.WithLabelValues("none").Inc()
		case head.Position.Before(e.Position):
			w.metrics.bases.WithLabelValues("head").Inc()
			seqs[i] = head.Seq
		default:
			w.metrics.bases.WithLabelValues("row").Inc()
			ahead = append(ahead, i)
		}
	}
	err := w.each(ctx, len(ahead), func(ctx context.Context, n int) error {
		e := cold[ahead[n]]
		return w.insist(ctx, "last_before", func(ctx context.Context) (err error) {
			seqs[ahead[n]], err = w.Store.LastBefore(ctx, e.ConversationID, e.Position)
			return err
		})
	})
	return seqs, err
}
