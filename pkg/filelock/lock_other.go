//go:build !unix

// Package filelock keeps a second process out of a folder, by a file that is locked while the first one lives.
package filelock

import "os"

// Lock makes sure that one process uses a folder, where the system holds an open file against others.
func Lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the path is from the configuration
	if err != nil {
		return nil, err
	}
	return func() { f.Close() }, nil
}
