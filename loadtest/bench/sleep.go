package bench

import (
	"context"
	"time"
)

// coarse is by how much the runtime's timers may be late.
const coarse = 2 * time.Millisecond

// SleepUntil sleeps until due or until ctx ends. The last part is slept by the kernel: the runtime's timers are late by
// up to a millisecond, which would be the latency that is measured.
func SleepUntil(ctx context.Context, due time.Time) {
	if wait := time.Until(due); wait > coarse {
		timer := time.NewTimer(wait - coarse)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
	}
	for wait := time.Until(due); wait > 0; wait = time.Until(due) {
		nanosleep(wait) // woken early, it is asked again
	}
}
