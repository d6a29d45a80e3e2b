//go:build amd64 || arm64

package socketio

import (
	"syscall"
	"unsafe"
)

// sysRead and sysWrite are recv(2) and send(2), for sockets that do not block. The scheduler is not told of them, as it
// is of calls that may take long: of an echo that would be a tenth, and they are over within microseconds. Nor are they
// read(2) and write(2), which see to files first.

func sysRead(fd uintptr, buf []byte) (int, error) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)), 0, 0, 0) //nolint:gosec // the only way to hand a buffer to the kernel
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func sysWrite(fd uintptr, buf []byte) (int, error) {
	if len(buf) > writeChunk { // takes its time to copy
		return syscall.Write(int(fd), buf)
	}
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)), syscall.MSG_NOSIGNAL, 0, 0) //nolint:gosec // as above
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
