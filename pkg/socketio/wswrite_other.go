//go:build !unix

package socketio

import (
	"sync"
	"syscall"
)

func newRawWrites() *sync.Pool { return nil }

func writeRaw(syscall.RawConn, *sync.Pool, []byte) (int, error) { panic("unreachable") }
