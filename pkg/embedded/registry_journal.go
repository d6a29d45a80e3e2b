package embedded

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sync"
)

// change is a request that changed the registry. Repeating the changes in their order gives the same
// registry again, with the same ids.
type change struct {
	Method string `json:"method"`
	URL    string `json:"url"` // path and query
	Body   []byte `json:"body,omitempty"`
}

func (c change) request() *http.Request {
	u, err := url.ParseRequestURI(c.URL)
	if err != nil {
		u = &url.URL{Path: "/"} // never journalled: no registry answers it with success
	}
	return &http.Request{
		Method: c.Method, URL: u, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header), Body: io.NopCloser(bytes.NewReader(c.Body)), ContentLength: int64(len(c.Body)), Host: "localhost",
	}
}

// journal is a file with one change a line. A last line that was cut short by a crash was never answered
// and is dropped.
type journal struct {
	mu      sync.Mutex // guards what follows, and makes changes one at a time, in the journal's order
	file    *os.File
	size    int64
	current map[string]string // what was asked for last, by method and URL: asking again changes nothing
}

// openJournal repeats what the file has.
func openJournal(path string, repeat func(change) error) (*journal, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the path is from the configuration
	if err != nil {
		return nil, err
	}
	j := &journal{file: file, current: make(map[string]string)}
	if err := j.load(repeat); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
	}
	return j, nil
}

func (j *journal) load(repeat func(change) error) error {
	lines := bufio.NewReader(j.file)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		var c change
		if err := json.Unmarshal(line, &c); err != nil {
			return fmt.Errorf("at byte %d: %w", j.size, err)
		}
		if err := repeat(c); err != nil {
			return fmt.Errorf("at byte %d: %w", j.size, err)
		}
		j.size += int64(len(line))
		j.remember(c)
	}
	if err := j.file.Truncate(j.size); err != nil {
		return err
	}
	_, err := j.file.Seek(j.size, io.SeekStart)
	return err
}

// do makes a change and, if it succeeded and is new, writes it down and syncs before it returns.
func (j *journal) do(c change, apply func() bool) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !apply() || j.inForce(c) {
		return nil
	}
	line, err := json.Marshal(c)
	if err != nil {
		return err
	}
	n, err := j.file.Write(append(line, '\n'))
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil { // half a line must not stand before the next one
		_, seek := j.file.Seek(j.size, io.SeekStart)
		return errors.Join(err, j.file.Truncate(j.size), seek)
	}
	j.size += int64(n)
	j.remember(c)
	return nil
}

func (j *journal) key(c change) string {
	if c.Method == http.MethodPost {
		return c.Method + " " + c.URL + "\n" + string(c.Body) // many schemas of one subject are in force together
	}
	return c.Method + " " + c.URL
}

func (j *journal) inForce(c change) bool {
	body, ok := j.current[j.key(c)]
	return ok && body == string(c.Body)
}

// remember keeps what needs no second line. After a deletion everything does.
func (j *journal) remember(c change) {
	if c.Method == http.MethodDelete {
		clear(j.current)
		return
	}
	j.current[j.key(c)] = string(c.Body)
}

func (j *journal) close() error { return j.file.Close() }
