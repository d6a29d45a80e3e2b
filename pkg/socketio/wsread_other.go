//go:build !unix

package socketio

// canReadRaw is false where sockets cannot be read without a buffer that is there beforehand.
const canReadRaw = false

func readRaw(uintptr, []byte) (n int, again bool, err error) { panic("unreachable") }
