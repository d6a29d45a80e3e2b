package history

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"sync"
	"time"
)

// Writer appends events. It may be used by many goroutines, and never fails while it is used: the first
// error is kept, and Close returns it.
type Writer struct {
	began time.Time

	mu    sync.Mutex // guards what follows
	codec codec
	out   *bufio.Writer
	file  io.Closer
	buf   []byte
	err   error
}

// Create makes a history file, over one that is there.
func Create(path string) (*Writer, error) {
	file, err := os.Create(path) //nolint:gosec // whoever runs this names the file
	if err != nil {
		return nil, err
	}
	w := NewWriter(file)
	w.file = file
	return w, nil
}

// NewWriter writes a history to out, from now on. Close does not close out.
func NewWriter(out io.Writer) *Writer {
	w := &Writer{began: time.Now(), out: bufio.NewWriterSize(out, 256<<10)}
	_, w.err = w.out.WriteString(magic)
	return w
}

// Since is the time of the history at which t is.
func (w *Writer) Since(t time.Time) time.Duration { return t.Sub(w.began) }

// Record appends an event, at the time of the call unless e says when it was.
func (w *Writer) Record(e Event) {
	if e.At == 0 {
		e.At = time.Since(w.began)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return
	}
	w.buf = w.codec.append(w.buf[:0], &e)
	if len(w.buf) > maxRecord {
		w.err = fmt.Errorf("history: an event of %d bytes", len(w.buf))
		return
	}
	var size [binary.MaxVarintLen64]byte
	_, err := w.out.Write(size[:binary.PutUvarint(size[:], uint64(len(w.buf)))])
	if err == nil {
		_, err = w.out.Write(w.buf)
	}
	w.err = err
}

// Flush writes what is buffered, for whoever ends the process.
func (w *Writer) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = w.out.Flush()
	}
}

// Close writes what is buffered and tells what failed since the beginning.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := errors.Join(w.err, w.out.Flush())
	if w.file != nil {
		err = errors.Join(err, w.file.Close())
	}
	return err
}

// Source is a history that can be read from its beginning, more than once. It ends at the first error.
type Source func() iter.Seq2[Event, error]

// Slice is a history in memory.
func Slice(events []Event) Source {
	return func() iter.Seq2[Event, error] {
		return func(yield func(Event, error) bool) {
			for _, e := range events {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// File is the history in a file. One whose writer was killed ends with io.ErrUnexpectedEOF.
func File(path string) Source {
	return func() iter.Seq2[Event, error] {
		return func(yield func(Event, error) bool) {
			file, err := os.Open(path) //nolint:gosec // whoever runs this names the file
			if err != nil {
				yield(Event{}, err)
				return
			}
			defer func() { _ = file.Close() }()
			read(bufio.NewReaderSize(file, 256<<10), yield)
		}
	}
}

func read(in *bufio.Reader, yield func(Event, error) bool) {
	begin := make([]byte, len(magic))
	if _, err := io.ReadFull(in, begin); err != nil || string(begin) != magic {
		yield(Event{}, errors.Join(errors.New("history: the file is none"), err))
		return
	}
	var c codec
	var buf []byte
	for n := int64(1); ; n++ {
		size, err := binary.ReadUvarint(in)
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil && size > maxRecord {
			err = errCorrupt
		}
		if err == nil {
			buf = append(buf[:0], make([]byte, size)...)
			if _, err = io.ReadFull(in, buf); errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
		}
		var e Event
		if err == nil {
			e, err = c.take(buf)
		}
		if err != nil {
			yield(Event{}, fmt.Errorf("history: event %d: %w", n, err))
			return
		}
		if !yield(e, nil) {
			return
		}
	}
}
