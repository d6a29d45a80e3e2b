//go:build unix && !(linux && (amd64 || arm64))

package socketio

import "syscall"

func sysRead(fd uintptr, buf []byte) (int, error)  { return syscall.Read(int(fd), buf) }
func sysWrite(fd uintptr, buf []byte) (int, error) { return syscall.Write(int(fd), buf) }
