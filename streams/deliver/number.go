package deliver

import (
	"context"
	"sync"

	"github.com/dozaar/dozaar/pkg/chat"
)

// numbers is what one assignment remembers: the last number it gave in each of its recent conversations. It holds
// as long as the records follow each other.
type numbers struct {
	mu   sync.Mutex
	seqs *lru[chat.ID, int64] // guarded by mu
}

func newNumbers(bound int) *numbers { return &numbers{seqs: newLRU[chat.ID, int64](bound)} }

func (n *numbers) last(conversation chat.ID) (seq int64, remembered bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.seqs.get(conversation)
}

// remember takes in what has been stored, and nothing before that: a failed attempt leaves the memory as it was.
func (n *numbers) remember(conversation chat.ID, seq int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seqs.put(conversation, seq, 1)
}

func (n *numbers) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seqs.clear()
}

// coldBase reads the last number below a position in a conversation that is not remembered.
//
// The result depends on the log alone. By induction: every number given at lower positions of the conversation
// is right and stored (see dropDuplicates). What is remembered was given by this worker just before. A head at
// a lower position than the slice's first belongs to the last message before it, because heads never move back and
// cover everything of their conversation that is lower. A head at the same or a higher position was written by
// somebody who is ahead, or by this log's previous reading; then the rows themselves tell what lies below.
//
// It may be read before it is known which records of the slice are duplicates: these have no rows, so the last
// number below the slice is also the last one below the first record that is none.
func (w *messageWorker) coldBase(ctx context.Context, conversation chat.ID, p chat.Position) (seq int64, err error) {
	var head chat.Head
	var found bool
	if err := w.insist(ctx, "heads", func(ctx context.Context) error {
		heads, err := w.Store.Heads(ctx, []chat.ID{conversation})
		head, found = heads[conversation]
		return err
	}); err != nil {
		return 0, err
	}
	switch {
	case !found:
		w.metrics.bases.WithLabelValues("none").Inc()
		return 0, nil
	case head.Position.Before(p):
		w.metrics.bases.WithLabelValues("head").Inc()
		return head.Seq, nil
	}
	w.metrics.bases.WithLabelValues("row").Inc()
	err = w.insist(ctx, "last_before", func(ctx context.Context) (err error) {
		seq, err = w.Store.LastBefore(ctx, conversation, p)
		return err
	})
	return seq, err
}
