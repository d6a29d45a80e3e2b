package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dozaar/dozaar/pkg/auth"
)

const devSecretName = "jwt-secret"

// DevSecret is the secret of --dev: the one in the data folder, which is made if it is not there. Of
// several processes that make it at the same time one wins, and all return the same.
func DevSecret(dataDir string) ([]byte, error) {
	secret, err := readDevSecret(dataDir)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	if err := makeDevSecret(dataDir); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("making a secret for --dev: %w", err)
	}
	return readDevSecret(dataDir)
}

// readDevSecret reads the secret in the data folder; the error is fs.ErrNotExist if there is none.
func readDevSecret(dataDir string) ([]byte, error) {
	path := filepath.Join(dataDir, devSecretName)
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others: run `chmod 600 %s`, or delete it to have a new one made", path, path)
	}
	secret, err := os.ReadFile(path) //nolint:gosec // the operator names the folder
	if err != nil {
		return nil, err
	}
	secret = bytes.TrimSpace(secret)
	if err := auth.CheckSecret(secret); err != nil {
		return nil, fmt.Errorf("%s: %w; or delete it to have a new one made", path, err)
	}
	return secret, nil
}

// makeDevSecret writes the whole file under another name first and gives it its name by a link, which
// fails where the name is taken. So nobody ever reads half a secret, and nobody replaces one.
func makeDevSecret(dataDir string) error {
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(dataDir, devSecretName+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails, by its contract
	_, err = file.WriteString(hex.EncodeToString(random) + "\n")
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Link(file.Name(), filepath.Join(dataDir, devSecretName))
}
