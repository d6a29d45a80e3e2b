package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	engine "modernc.org/sqlite"

	"github.com/dozaar/dozaar/pkg/store"
)

// Store is an open file. Its methods may be called concurrently; storetest.Store has their contracts.
type Store struct {
	writer     *sql.DB // one connection
	readers    *sql.DB // refuses to write
	gather     *gather
	operations *store.Operations
	closed     atomic.Bool
}

// Open opens the file at path, makes it where there is none, and brings its schema up to date. The folder
// must exist. A file that a newer program wrote is refused and left alone.
func Open(ctx context.Context, path string, logger *slog.Logger, registerer prometheus.Registerer) (*Store, error) {
	s, err := open(ctx, path, registerer)
	if err != nil {
		return nil, fmt.Errorf("sqlite: open %s: %w", path, err)
	}
	version, applied, err := migrate(ctx, s.writer, migrationFiles())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite: open %s: %w", path, unavailable(err)), s.Close())
	}
	logger.InfoContext(ctx, "store opened", "path", path, "schema", version, "migrations", applied)
	return s, nil
}

func open(ctx context.Context, path string, registerer prometheus.Registerer) (*Store, error) {
	operations, err := store.NewOperations(registerer)
	if err != nil {
		return nil, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	if err := create(path); err != nil {
		return nil, err
	}
	s := &Store{operations: operations, gather: newGather()}
	if s.writer, err = pool(path, 1, url.Values{
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_foreign_keys": {"ON"},
		"_txlock":       {"immediate"},
		"_pragma": {
			"cache_size(-16000)",
			"journal_size_limit(67108864)",
			"secure_delete(ON)", // what is erased is gone from the file
			// On macOS fsync stops short of the disk without these.
			"fullfsync(ON)",
			"checkpoint_fullfsync(ON)",
		},
	}); err != nil {
		return nil, err
	}
	if s.readers, err = pool(path, max(4, runtime.GOMAXPROCS(0)), url.Values{
		"_query_only": {"ON"},
		"_pragma":     {"cache_size(-4000)"},
	}); err != nil {
		return nil, errors.Join(err, s.writer.Close())
	}
	var mode string
	if err = s.writer.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err == nil && mode != "wal" {
		err = fmt.Errorf("the file system cannot hold a write-ahead log (journal mode is %s)", mode)
	}
	if err != nil {
		return nil, errors.Join(unavailable(err), s.Close())
	}
	return s, nil
}

// create makes an empty file that only its owner may read: SQLite would leave that to the umask, and gives
// the log beside it the same mode. An existing file is never opened here, for closing it would drop the
// locks that another Store in this process has on it.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator says where
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// pool holds up to connections, all of which stay open once they are.
func pool(path string, connections int, parameters url.Values) (*sql.DB, error) {
	parameters.Set("_busy_timeout", "10000")
	parameters.Set("_dqs", "0")
	parameters.Add("_pragma", "temp_store(MEMORY)")
	file := url.URL{Path: filepath.ToSlash(path)}
	connector, err := engine.NewConnector("file:" + file.EscapedPath() + "?" + parameters.Encode())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// Close waits for what is running and closes the file. Every call after it gives chat.ErrUnavailable.
func (s *Store) Close() error {
	s.closed.Store(true)
	// The writer last: the last connection moves the write-ahead log into the file.
	return errors.Join(s.readers.Close(), s.writer.Close())
}
