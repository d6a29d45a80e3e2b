package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	engine "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/dozaar/dozaar/pkg/chat"
)

// classify gives an operation's error its name and its sentinel.
func (s *Store) classify(ctx context.Context, operation string, err error) error {
	switch {
	case err == nil:
		return nil
	case s.closed.Load():
		err = fmt.Errorf("%w: the store is closed: %w", chat.ErrUnavailable, err)
	case errors.Is(ctx.Err(), context.Canceled):
		err = ctx.Err() // what the engine says of an interrupted statement is noise
	case ctx.Err() != nil:
		err = fmt.Errorf("%w: %w", chat.ErrUnavailable, ctx.Err())
	default:
		err = unavailable(err)
	}
	return fmt.Errorf("sqlite: %s: %w", operation, err)
}

// unavailable wraps chat.ErrUnavailable around what may go away by itself or by an operator's hand: no
// room, no access, a lock. A wrong statement, a broken constraint or a corrupt file is none of these.
func unavailable(err error) error {
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
		return fmt.Errorf("%w: %w", chat.ErrUnavailable, err)
	}
	fault, ok := errors.AsType[*engine.Error](err)
	if !ok {
		return err
	}
	switch fault.Code() & 0xff { // the upper bits say which kind of the primary code
	case lib.SQLITE_FULL, lib.SQLITE_IOERR, lib.SQLITE_CANTOPEN, lib.SQLITE_READONLY, lib.SQLITE_PERM,
		lib.SQLITE_AUTH, lib.SQLITE_NOMEM, lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_PROTOCOL,
		lib.SQLITE_INTERRUPT:
		return fmt.Errorf("%w: %w", chat.ErrUnavailable, err)
	}
	return err
}
