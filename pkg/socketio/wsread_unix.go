//go:build unix

package socketio

import (
	"errors"
	"syscall"
)

const canReadRaw = true

// readRaw reads what there is at once; again where there is nothing yet.
func readRaw(fd uintptr, buf []byte) (n int, again bool, err error) {
	for {
		n, err = syscall.Read(int(fd), buf)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return 0, true, nil
		}
		return n, false, err
	}
}
