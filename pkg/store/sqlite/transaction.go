package sqlite

import (
	"context"
	"database/sql"

	"github.com/dozaar/dozaar/pkg/chat"
)

// write runs an operation as one transaction on the writing connection; all of it is on the disk, or
// nothing. Every write of the package passes here, or is gathered.
func (s *Store) write(ctx context.Context, operation string, run func(*sql.Tx) error) error {
	return s.transact(ctx, operation, s.writer, nil, run)
}

// read runs an operation on one snapshot of the file. Every read of the package passes here.
func (s *Store) read(ctx context.Context, operation string, run func(*sql.Tx) error) error {
	return s.transact(ctx, operation, s.readers, &sql.TxOptions{ReadOnly: true}, run)
}

func (s *Store) transact(ctx context.Context, operation string, db *sql.DB, options *sql.TxOptions, run func(*sql.Tx) error) error {
	return s.operations.Measure(operation, func() error {
		tx, err := db.BeginTx(ctx, options)
		if err == nil {
			defer tx.Rollback() // does nothing after a Commit
			if err = run(tx); err == nil {
				err = tx.Commit()
			}
		}
		return s.classify(ctx, operation, err)
	})
}

// each scans the rows of a query one by one.
func each(ctx context.Context, tx *sql.Tx, scan func(*sql.Rows) error, query string, args ...any) error {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// insert runs one statement for every item, prepared once.
func insert[T any](ctx context.Context, tx *sql.Tx, items []T, statement string, args func(T) ([]any, error)) error {
	if len(items) == 0 {
		return nil
	}
	prepared, err := tx.PrepareContext(ctx, statement)
	if err != nil {
		return err
	}
	defer prepared.Close()
	for _, item := range items {
		values, err := args(item)
		if err != nil {
			return err
		}
		if _, err := prepared.ExecContext(ctx, values...); err != nil {
			return err
		}
	}
	return nil
}

// idList passes any number of ids as one parameter: `FROM json_each(?1) AS wanted … unhex(wanted.value)`.
func idList(ids []chat.ID) string {
	const digits = "0123456789abcdef"
	list := make([]byte, 0, len(ids)*35+2)
	list = append(list, '[')
	for i, id := range ids {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, '"')
		for _, b := range id {
			list = append(list, digits[b>>4], digits[b&15])
		}
		list = append(list, '"')
	}
	return string(append(list, ']'))
}

// optional is NULL for the zero id.
func optional(id chat.ID) any {
	if id == (chat.ID{}) {
		return nil
	}
	return id[:]
}
