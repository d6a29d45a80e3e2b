package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// diskKind fills the disk under the embedded engines: their data folder is a file system of its own, in memory.
func diskKind() kind {
	const full = 20 * time.Second
	return kind{
		name: "full-disk", set: embedded, root: true, total: true,
		what: fmt.Sprintf("`dozaar all` on embedded engines, their disk full for %s", full),
		before: func(_ context.Context, s *stage) error {
			data := s.product.data(all + "-1")
			if err := os.MkdirAll(data, 0o750); err != nil {
				return err
			}
			if err := unix.Mount("tmpfs", data, "tmpfs", 0, "size=256m"); err != nil {
				return fmt.Errorf("mount %s: %w", data, err)
			}
			s.undo(func() error { return unix.Unmount(data, 0) })
			return nil
		},
		do: func(ctx context.Context, s *stage) error {
			filler := filepath.Join(s.product.data(all+"-1"), "filler")
			s.fault("the disk is full")
			return s.doAll(ctx, func() error { return fill(filler) }, s.pause(ctx, full), func() error { return os.Remove(filler) }, s.healed("the disk has room"))
		},
	}
}

// fill takes all the room that there is.
func fill(path string) error {
	file, err := os.Create(path) //nolint:gosec // in our own folder
	if err != nil {
		return err
	}
	for block := make([]byte, 64<<10); err == nil; {
		_, err = file.Write(block)
		if errors.Is(err, unix.ENOSPC) && len(block) > 1 {
			block, err = block[:len(block)/2], nil
		}
	}
	if !errors.Is(err, unix.ENOSPC) {
		return errors.Join(err, file.Close())
	}
	return file.Close()
}
