package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed migrations/*.sql
var embedded embed.FS

func migrationFiles() fs.FS {
	files, err := fs.Sub(embedded, "migrations")
	if err != nil {
		panic(err) // the name is a constant that is embedded above
	}
	return files
}

// migrate applies the files that the database has not seen, in order, each in a transaction together with
// the number it leaves in user_version. Files are named 0001_what.sql and so on without a gap; one that
// was released is never edited.
func migrate(ctx context.Context, db *sql.DB, files fs.FS) (version, applied int, err error) {
	names, err := fs.Glob(files, "*.sql") // sorted by name
	if err != nil {
		return 0, 0, err
	}
	for i, name := range names {
		if !strings.HasPrefix(name, fmt.Sprintf("%04d_", i+1)) {
			return 0, 0, fmt.Errorf("migration %s is not number %d", name, i+1)
		}
	}
	for {
		version, more, err := migrateOnce(ctx, db, files, names)
		if err != nil || !more {
			return version, applied, err
		}
		applied++
	}
}

// migrateOnce applies the next file, if any. The transaction has the write lock from its start, so two
// processes that open one file do not apply the same migration twice.
func migrateOnce(ctx context.Context, db *sql.DB, files fs.FS, names []string) (version int, more bool, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return 0, false, err
	}
	defer tx.Rollback()
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return 0, false, err
	}
	switch {
	case version > len(names):
		return version, false, fmt.Errorf("the file's schema is version %d, made by a newer program; this one knows up to version %d", version, len(names))
	case version == len(names):
		return version, false, nil
	}
	name := names[version]
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return version, false, err
	}
	if _, err := tx.ExecContext(ctx, string(text)); err != nil {
		return version, false, fmt.Errorf("migration %s: %w", name, err)
	}
	// A PRAGMA takes no parameters.
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version+1)); err != nil {
		return version, false, err
	}
	return version + 1, true, tx.Commit()
}
