//go:build unix

package socketio

import "syscall"

const canReadRaw = true

// readRaw reads what there is at once; again where there is nothing yet.
func readRaw(fd uintptr, buf []byte) (n int, again bool, err error) {
	for {
		n, err = sysRead(fd, buf)
		switch err {
		case nil:
			return n, false, nil
		case syscall.EINTR: //nolint:errorlint // a bare Errno, looked at for every message
			continue
		case syscall.EAGAIN:
			return 0, true, nil
		}
		return n, false, err
	}
}
