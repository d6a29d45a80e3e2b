package schemas

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// noted has a line for each version of a schema and each golden record: the file's SHA-256 and its path, as sha256sum prints it.
const noted = "testdata/immutable.sha256"

// A version is what others have registered, and what lies in topics and archives was written by it: it never changes, its
// docs neither, because a registry knows a schema by its text. What changes is a new version, in a new file.
func TestVersionsNeverChange(t *testing.T) {
	if *update {
		if err := note("."); err != nil {
			t.Fatal(err)
		}
	}
	if err := unchanged("."); err != nil {
		t.Error(err)
	}
}

func TestAChangedVersionIsFound(t *testing.T) {
	const schema, golden = "avro/message_sent/v1.avsc", "testdata/message_sent/v1-plain.hex"
	for name, c := range map[string]struct {
		spoil func(dir string) error
		words string
	}{
		"a word of a doc": {func(dir string) error { return os.WriteFile(filepath.Join(dir, schema), []byte("{}"), 0o600) }, schema + " has changed"},
		"a golden record": {func(dir string) error { return os.WriteFile(filepath.Join(dir, golden), []byte("00"), 0o600) }, golden + " has changed"},
		"one is gone":     {func(dir string) error { return os.Remove(filepath.Join(dir, schema)) }, schema},
		"one is not noted": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "avro/message_sent/v2.avsc"), []byte("{}"), 0o600)
		}, "avro/message_sent/v2.avsc is new"},
	} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(".")); err != nil {
			t.Fatal(err)
		}
		if err := c.spoil(dir); err != nil {
			t.Fatal(err)
		}
		if err := unchanged(dir); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v; want %q", name, err, c.words)
		}
		if name == "one is not noted" { // noting takes what is new, and only that
			if err := errors.Join(note(dir), unchanged(dir)); err != nil {
				t.Errorf("after it was noted: %v", err)
			}
		} else if err := errors.Join(note(dir), unchanged(dir)); err == nil {
			t.Errorf("%s: noting took it", name)
		}
	}
}

// unchanged tells what is not as it was noted.
func unchanged(dir string) error {
	known, err := readNoted(dir)
	if err != nil {
		return err
	}
	var wrong []error
	for path, sum := range known {
		switch is, err := sumOf(dir, path); {
		case err != nil:
			wrong = append(wrong, fmt.Errorf("%w: versions are for ever", err))
		case is != sum:
			wrong = append(wrong, fmt.Errorf("%s has changed: versions are immutable, make a new one", path))
		}
	}
	files, err := versionFiles(dir)
	for _, path := range files {
		if known[path] == "" {
			wrong = append(wrong, fmt.Errorf("%s is new: `go test ./schemas -update` notes it", path))
		}
	}
	return errors.Join(append(wrong, err)...)
}

// note adds the lines of files that have none, and leaves the others as they are.
func note(dir string) error {
	known, err := readNoted(dir)
	if err != nil {
		return err
	}
	files, err := versionFiles(dir)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, noted), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, path := range files {
		if known[path] != "" {
			continue
		}
		sum, err := sumOf(dir, path)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(f, "%s  %s\n", sum, path); err != nil {
			return err
		}
	}
	return nil
}

func readNoted(dir string) (map[string]string, error) {
	text, err := os.ReadFile(filepath.Join(dir, noted))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	known := map[string]string{}
	for line := range strings.Lines(string(text)) {
		sum, path, found := strings.Cut(strings.TrimSpace(line), "  ")
		if !found {
			return nil, fmt.Errorf("%s: %q is no line of it", noted, line)
		}
		known[path] = sum
	}
	return known, nil
}

func versionFiles(dir string) (all []string, err error) {
	for _, pattern := range []string{"avro/*/v*.avsc", "testdata/*/v*.hex"} {
		found, err := fs.Glob(os.DirFS(dir), pattern)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// sumOf is the same on every system: line ends are \n.
func sumOf(dir, path string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, path))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", sha256.Sum256(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")))), nil
}
