package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/dozaar/dozaar/pkg/chat"
)

// fillPage is how many messages a gap is read by, and fillBytes about how much of them is delivered at
// once: what comes faster than the sockets take it would overflow them. A socket that takes nothing for
// fillPatience is not waited for.
const (
	fillPage     = 200
	fillBytes    = 128 << 10
	fillPatience = time.Second
)

// need tells the room that seq exists and that its members may have changed.
func (g *Gateway) need(r *room, seq int64) {
	r.mu.Lock()
	r.want = max(r.want, seq)
	r.stale++
	r.mu.Unlock()
	g.fillIfNeeded(r)
}

// fillIfNeeded starts to fill the room unless it has all it heard of or is being filled already.
func (g *Gateway) fillIfNeeded(r *room) {
	r.mu.Lock()
	start := r.open && !r.filling && r.lacks()
	r.filling = r.filling || start
	r.mu.Unlock()
	if start && !g.spawn(func() { g.fill(r) }) {
		r.mu.Lock()
		r.filling = false
		r.mu.Unlock()
	}
}

// lacks tells whether there is a gap or the members are stale. r.mu is held.
func (r *room) lacks() bool { return r.want > r.last || r.fresh < r.stale }

// fill reads the members and the gap from the store and delivers it, until nothing is lacking.
// A store that is away is tried again for as long as it takes.
func (g *Gateway) fill(r *room) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval = 20 * time.Millisecond
	pause.MaxInterval = 3 * time.Second
	for {
		progress, err := g.fillPage(r)
		r.mu.Lock()
		if !r.lacks() {
			r.filling = false
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		if progress {
			pause.Reset()
			g.drain(r)
			continue
		}
		if err != nil {
			g.metrics.fillFailures.Inc()
			g.log.Warn("rooms cannot be filled from the store", "error", err)
		}
		select {
		case <-g.base.Done():
			return
		case <-time.After(pause.NextBackOff()):
		}
	}
}

// drain waits until the room's sockets have taken most of what they were sent.
func (g *Gateway) drain(r *room) {
	r.mu.Lock()
	live := make([]conn, 0, len(r.sockets))
	for s, p := range r.sockets {
		if p.live {
			live = append(live, s.conn)
		}
	}
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(g.base, fillPatience)
	defer cancel()
	for _, c := range live {
		_ = c.Drain(ctx, fillBytes) // gone, or too slow: its buffer's bound is the measure of that
	}
}

// fillPage reads and delivers one page. It tells whether that got the room further.
func (g *Gateway) fillPage(r *room) (progress bool, err error) {
	if err := g.fills.Acquire(g.base, 1); err != nil {
		return false, err
	}
	defer g.fills.Release(1)
	r.mu.Lock()
	last, stale, refresh := r.last, r.stale, r.fresh < r.stale
	r.mu.Unlock()

	var c membership
	if refresh {
		if c, err = g.readMembers(g.base, r.id); err != nil {
			r.mu.Lock()
			r.putOut() // as far as it was told
			r.mu.Unlock()
			return false, err
		}
	}
	page, err := g.Store.Messages(g.base, r.id, last, fillPage)
	if err != nil {
		return false, err
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	if refresh {
		r.setMembers(c)
		r.fresh = stale
	}
	filled, bytes := 0, 0
	for _, m := range page {
		if m.Seq == r.last+1 && r.fresh == r.stale && bytes < fillBytes {
			g.metrics.delivered(g.base, m, r.advance(m))
			filled++
			bytes += len(m.Text)
			for _, url := range m.AttachmentURLs {
				bytes += len(url)
			}
		}
	}
	g.metrics.filled.Add(float64(filled))
	return filled > 0 || refresh, nil
}

// heal re-registers and reads every room's head and members again after the relay has had trouble,
// so that even a lost last message appears. While somebody is not heard it looks at the heads again and again.
func (g *Gateway) heal(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-g.unheard:
			g.look(ctx)
			continue
		case <-g.resyncs:
		}
		pause := backoff.NewExponentialBackOff()
		pause.InitialInterval = 50 * time.Millisecond
		pause.MaxInterval = 2 * time.Second
		for {
			err := g.resync(ctx)
			if err == nil || ctx.Err() != nil {
				break
			}
			g.log.Warn("re-read the rooms", "error", err)
			select {
			case <-ctx.Done():
				return nil
			case <-g.unheard: // Redis is away, and the store need not be
				g.look(ctx)
			case <-time.After(pause.NextBackOff()):
			}
		}
	}
}

// headsPage is of how many rooms the store is asked at once.
const headsPage = 500

func (g *Gateway) resync(ctx context.Context) error {
	if err := g.Leases.Reassert(ctx); err != nil {
		return err
	}
	return g.pages(func(page []*room, ids []chat.ID) error {
		heads, err := g.Store.Heads(ctx, ids)
		if err != nil {
			return err
		}
		for _, r := range page {
			g.need(r, heads[r.id].Seq)
		}
		return nil
	})
}

// look has rooms filled that are behind their heads, or whose members have changed: the word of a removed one may be missing, too.
// A look that fails is not repeated: the relay says again that it wants one.
func (g *Gateway) look(ctx context.Context) {
	err := g.pages(func(page []*room, ids []chat.ID) error {
		heads, err := g.Store.Heads(ctx, ids)
		revisions, err2 := g.Store.Revisions(ctx, ids)
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		for _, r := range page {
			if head := heads[r.id].Seq; head > r.lastSeq() || revisions[r.id] > r.revision() {
				g.need(r, head)
			}
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		g.log.Warn("look at the rooms", "error", err)
	}
}

// pages goes through all rooms, some at a time.
func (g *Gateway) pages(do func(page []*room, ids []chat.ID) error) error {
	list := g.rooms.list()
	for len(list) > 0 {
		page := list[:min(headsPage, len(list))]
		list = list[len(page):]
		ids := make([]chat.ID, len(page))
		for i, r := range page {
			ids[i] = r.id
		}
		if err := do(page, ids); err != nil {
			return err
		}
	}
	return nil
}
