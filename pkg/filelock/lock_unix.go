//go:build unix

// Package filelock keeps a second process out of a folder, by a file that is locked while the first one lives.
package filelock

import (
	"os"
	"syscall"
)

// Lock makes sure that one process uses a folder. It ends with the process, however that ends.
func Lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the path is from the configuration
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}
