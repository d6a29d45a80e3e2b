package archive

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dozaar/dozaar/pkg/filelock"
)

// file is what a file's name says.
type file struct {
	event, day  string
	topic       string
	partition   int32
	first, last int64 // offsets, both included
}

func (f file) path() string {
	return filepath.Join("event="+f.event, "day="+f.day, fmt.Sprintf("%s-%d-%d-%d.parquet", f.topic, f.partition, f.first, f.last))
}

var names = regexp.MustCompile(`^event=([^/]+)/day=(\d{4}-\d{2}-\d{2})/([^/]+)-(\d+)-(\d+)-(\d+)\.parquet$`)

func parse(path string) (f file, ok bool) {
	parts := names.FindStringSubmatch(filepath.ToSlash(path))
	if parts == nil {
		return f, false
	}
	partition, err1 := strconv.ParseInt(parts[4], 10, 32)
	first, err2 := strconv.ParseInt(parts[5], 10, 64)
	last, err3 := strconv.ParseInt(parts[6], 10, 64)
	f = file{parts[1], parts[2], parts[3], int32(partition), first, last}
	return f, errors.Join(err1, err2, err3) == nil && first <= last
}

// folder is the archive's, which is ours until it is closed.
type folder struct {
	dir    string
	unlock func()
}

const temporary = ".writing-"

// open takes the folder, makes it if need be, and removes what a process that died left half written.
func open(dir string) (*folder, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	unlock, err := filelock.Lock(filepath.Join(dir, ".lock"))
	if err != nil {
		return nil, fmt.Errorf("%s: another process archives into it: %w", dir, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, temporary+"*"))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	if err != nil {
		unlock()
		return nil, err
	}
	return &folder{dir, unlock}, nil
}

func (d *folder) close() { d.unlock() }

// files are all that are there, each partition's in the order of their offsets. It refuses two that overlap.
func (d *folder) files() (all []file, err error) {
	err = filepath.WalkDir(d.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(d.dir, path)
		if err != nil {
			return err
		}
		if f, ok := parse(relative); ok {
			all = append(all, f)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b file) int {
		return cmp.Or(strings.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition), cmp.Compare(a.first, b.first))
	})
	for i := 1; i < len(all); i++ {
		a, b := all[i-1], all[i]
		if a.topic == b.topic && a.partition == b.partition && b.first <= a.last {
			return nil, fmt.Errorf("%s: %s and %s have records in common; remove one of them", d.dir, a.path(), b.path())
		}
	}
	return all, nil
}

// put writes a file as a whole: whoever looks finds all of it or nothing, also after a crash.
func (d *folder) put(f file, write func(*os.File) error) error {
	path := filepath.Join(d.dir, f.path())
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	out, err := os.CreateTemp(d.dir, temporary+"*")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name()) //nolint:errcheck // it is gone where all went well
	err = write(out)
	if err == nil {
		err = errors.Join(out.Chmod(0o640), out.Sync()) // the data teams' group reads it
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	if err := os.Rename(out.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder has a rename survive a loss of power.
func syncFolder(dir string) error {
	f, err := os.Open(dir) //nolint:gosec // a folder of ours
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
