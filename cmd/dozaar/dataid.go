package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dozaar/dozaar/pkg/chat"
)

// dataID is the name of a data folder, given once. It is not kept with the store: a store that was thrown
// away while the log goes on is noticed by it.
func dataID(dataDir string) (string, error) {
	path := filepath.Join(dataDir, "id")
	raw, err := os.ReadFile(path) //nolint:gosec // the operator says where
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dataDir, 0o700); err != nil {
			return "", fmt.Errorf("DOZAAR_DATA_DIR: %w", err)
		}
		return writeDataID(path)
	}
	if err != nil {
		return "", fmt.Errorf("DOZAAR_DATA_DIR: %w", err)
	}
	id, ok := chat.ParseID(strings.TrimSpace(string(raw)))
	if !ok {
		return "", fmt.Errorf("DOZAAR_DATA_DIR: %s holds no id", path)
	}
	return id.String(), nil
}

// writeDataID makes the id under another name first: a crash leaves none or a whole one.
func writeDataID(path string) (string, error) {
	id := chat.NewID().String()
	if err := os.WriteFile(path+".new", []byte(id+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("DOZAAR_DATA_DIR: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return "", fmt.Errorf("DOZAAR_DATA_DIR: %w", err)
	}
	return id, nil
}
