package load

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/loadtest/history"
)

const (
	settleEvery = 500 * time.Millisecond
	probeEvery  = 10 * time.Second
	// quietFor is for how long nothing may change before it is taken for rest: longer than the contract's
	// five seconds within which a lost last message must appear.
	quietFor = 6 * time.Second
	// patience is how many times the plan's bound a run may take to settle that does get further.
	patience = 10
)

// settle waits until everything that was asked is answered and every device has been shown everything, and then
// until nothing changes. Where nothing gets any further within the plan's bound it gives up, and says why.
func (r *run) settle(ctx context.Context) bool {
	began := time.Now()
	for _, d := range r.devices {
		d.Hurry()
	}
	for _, c := range r.conversations { // a guest who was removed is not waited for
		if c.guest != nil && !c.guest.in {
			for _, d := range c.guest.devices {
				d.Leave(c.id, false)
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience*r.Settle)
	defer cancel()
	var before map[uuid.UUID]int64
	quiet, probed, moved := time.Now(), time.Time{}, time.Now()
	progress := r.progressed()
	why := "nothing was looked at"
	for {
		if why != "" && time.Since(probed) > probeEvery { // a probe is no rest: where reading the heads takes long, there would be none
			probed = time.Now()
			for _, d := range r.devices {
				d.Probe()
			}
		}
		var heads map[uuid.UUID]int64
		why = r.busy()
		if why == "" {
			heads, why = r.level(ctx)
		}
		if why != "" || !sameHeads(before, heads) {
			quiet = time.Now()
		}
		before = heads
		if now := r.progressed(); now != progress {
			progress, moved = now, time.Now()
		}
		if why == "" && time.Since(quiet) >= quietFor {
			break
		}
		if time.Since(moved) > r.Settle && why != "" || ctx.Err() != nil {
			r.settled(history.Unknown, "gave up settling after %s: %s", time.Since(began).Round(time.Second/10), why)
			return false
		}
		select {
		case <-ctx.Done():
		case <-time.After(settleEvery):
		}
	}
	r.settled(history.OK, "settled after %s", quiet.Sub(began).Round(time.Second/10))
	return true
}

// progressed grows with everything that gets further.
func (r *run) progressed() int64 {
	s := &r.stats
	return s.Acked.Load() + s.Refused.Load() + s.Shown.Load() + s.Paged.Load() + s.Reconnects.Load()
}

func (r *run) settled(outcome history.Outcome, format string, args ...any) {
	note := fmt.Sprintf(format, args...)
	fmt.Fprintln(r.Out, note)
	r.record(history.Event{Kind: history.Settled, Outcome: outcome, Note: note})
}

func sameHeads(a, b map[uuid.UUID]int64) bool {
	if len(a) != len(b) {
		return false
	}
	for id, head := range b {
		if a[id] != head {
			return false
		}
	}
	return true
}

// busy tells what keeps the first device that is not at rest.
func (r *run) busy() string {
	for _, d := range r.devices {
		if why := d.Busy(); why != "" {
			return d.Name + ": " + why
		}
	}
	return ""
}

// level reads every head and tells which device has not been shown everything up to there.
func (r *run) level(ctx context.Context) (map[uuid.UUID]int64, string) {
	if r.archive == nil { // nobody can tell how much there is: only that no more comes
		return map[uuid.UUID]int64{uuid.Nil: r.progressed()}, ""
	}
	ctx, cancel := context.WithTimeout(ctx, r.Settle) // it insists, and who has died for good does not answer
	defer cancel()
	list := make([]int64, len(r.conversations))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, c := range r.conversations {
		group.Go(func() (err error) {
			list[i], err = r.archive.Head(ctx, c.id)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err.Error()
	}
	heads := map[uuid.UUID]int64{}
	for i, c := range r.conversations {
		heads[c.id] = list[i]
		devices := slices.Concat(c.senders, c.slow)
		if c.guest != nil {
			devices = append(devices, c.guest.devices...)
		}
		for _, d := range devices {
			if cursor, _, joined := d.Place(c.id); joined && cursor != list[i] {
				return heads, fmt.Sprintf("%s has been shown %d of %d in %s", d.Name, cursor, list[i], c.id)
			}
		}
	}
	return heads, ""
}
