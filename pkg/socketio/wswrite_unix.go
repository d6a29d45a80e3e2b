//go:build unix

package socketio

import (
	"errors"
	"sync"
	"syscall"
)

// rawWrite is one attempt to write. It is kept for the next, for what it is bound to.
type rawWrite struct {
	buf []byte
	n   int
	err error
	try func(fd uintptr) bool
}

func newRawWrites() *sync.Pool {
	return &sync.Pool{New: func() any {
		w := new(rawWrite)
		w.try = func(fd uintptr) bool {
			for {
				w.n, w.err = sysWrite(fd, w.buf)
				if w.err != syscall.EINTR { //nolint:errorlint // a bare Errno, looked at for every write
					return true
				}
			}
		}
		return w
	}}
}

// writeRaw writes what the socket takes without waiting.
func writeRaw(conn syscall.RawConn, writes *sync.Pool, buf []byte) (n int, err error) {
	w := writes.Get().(*rawWrite)
	w.buf = buf
	if err = conn.Write(w.try); err == nil {
		n, err = max(w.n, 0), w.err
	}
	w.buf, w.err = nil, nil
	writes.Put(w)
	if errors.Is(err, syscall.EAGAIN) {
		err = nil
	}
	return n, err
}
