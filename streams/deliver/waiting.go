package deliver

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/dozaar/dozaar/schemas"
)

// waiting are the slices that wait for chat.messages.stored. Nobody who chats notices, until a partition holds as much as
// it may; so it has to be said.
type waiting struct {
	mu  sync.Mutex
	all map[*wait]bool // guarded by mu
}

// wait is one slice's.
type wait struct {
	of    *waiting
	since time.Time
	why   error // guarded by of.mu; of the last attempt; nil: it has no answer
	timer *time.Timer
}

// wait begins one, and complains when it has taken long.
func (d *Deliver) wait(ctx context.Context) *wait {
	w := &wait{of: &d.waiting, since: d.Clock()}
	d.waiting.mu.Lock()
	defer d.waiting.mu.Unlock()
	if d.waiting.all == nil {
		d.waiting.all = map[*wait]bool{}
	}
	d.waiting.all[w] = true
	w.timer = time.AfterFunc(d.ComplainAfter, func() {
		if now := d.Clock(); d.complaints.due("publication", now) {
			d.log.ErrorContext(ctx, "stored messages wait for "+schemas.TopicStored+"; when their partition holds as much as it may, its messages wait too",
				"since", w.since, "error", w.reason())
		}
	})
	return w
}

func (w *wait) failed(err error) {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	w.why = err
}

func (w *wait) reason() error {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	return w.why
}

func (w *wait) end() {
	w.timer.Stop()
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	delete(w.of.all, w)
}

// Publishing tells whether chat.messages.stored is written: it fails where a slice has waited for it for too long.
func (d *Deliver) Publishing(context.Context) error {
	d.waiting.mu.Lock()
	defer d.waiting.mu.Unlock()
	var oldest *wait
	for w := range d.waiting.all {
		if oldest == nil || w.since.Before(oldest.since) {
			oldest = w
		}
	}
	if oldest == nil || d.Clock().Sub(oldest.since) < d.ComplainAfter {
		return nil
	}
	since := oldest.since.UTC().Format(time.RFC3339)
	if oldest.why == nil {
		return fmt.Errorf("%s has not answered since %s", schemas.TopicStored, since)
	}
	return fmt.Errorf("%s takes nothing since %s: %w", schemas.TopicStored, since, oldest.why)
}
