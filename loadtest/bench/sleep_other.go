//go:build !linux

package bench

import "time"

// nanosleep is late by what the runtime's timers are: nothing is measured elsewhere than on Linux.
func nanosleep(d time.Duration) { time.Sleep(d) }
