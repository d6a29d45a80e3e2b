package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// storms cuts a share of all connections at once, again and again, until ctx ends.
func (r *run) storms(ctx context.Context) {
	random := rand.New(rand.NewPCG(r.Seed, 200))
	for r.Storm.Every > 0 && pause(ctx, r.Storm.Every) {
		began, before, cut := time.Now(), r.stats.Reconnects.Load(), int64(0)
		for _, d := range r.devices {
			if random.Float64() < r.Storm.Share && d.Cut() {
				cut++
			}
		}
		r.note(fmt.Sprintf("%d connections were cut at once", cut))
		g := Gale{At: began.Sub(r.watch.began).Seconds(), Cut: cut}
		for r.stats.Reconnects.Load() < before+cut && pause(ctx, 10*time.Millisecond) {
		}
		if ctx.Err() == nil {
			g.Back = time.Since(began).Seconds()
			r.note(fmt.Sprintf("as many had come back %.1f s later", g.Back))
		}
		r.mu.Lock()
		r.gales = append(r.gales, g)
		r.mu.Unlock()
	}
}

// roll starts each gateway again, one after the other. What is begun when the load ends is finished.
func (r *run) roll(ctx context.Context) error {
	for i := range r.Target.Gateways() {
		if r.Deploy == 0 || !pause(ctx, r.Deploy) {
			return nil
		}
		r.note(fmt.Sprintf("gateway %d is started again", i+1))
		began := time.Now()
		if err := r.Restart(context.WithoutCancel(ctx), i); err != nil {
			return fmt.Errorf("start gateway %d again: %w", i+1, err)
		}
		r.note(fmt.Sprintf("gateway %d is back after %.1f s", i+1, time.Since(began).Seconds()))
	}
	return nil
}

// pause waits, and tells whether ctx still goes on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
