//go:build !unix

package archive

import "os"

// lock makes sure that one process uses a folder, where the system holds an open file against others.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the path is from the configuration
	if err != nil {
		return nil, err
	}
	return func() { f.Close() }, nil
}
