package bench

import (
	"syscall"
	"time"
)

func nanosleep(d time.Duration) {
	sleep := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&sleep, nil)
}
