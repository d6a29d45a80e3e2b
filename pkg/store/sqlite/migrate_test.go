package sqlite

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/dozaar/dozaar/pkg/chat"
)

func TestMigrateOnce(t *testing.T) {
	db := openAt(t, filepath.Join(t.TempDir(), "chat.db")).writer
	if _, err := db.Exec("PRAGMA user_version = 0"); err != nil { // the schema under test is that of the files below
		t.Fatal(err)
	}
	sql := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	files := fstest.MapFS{"0001_a.sql": sql("CREATE TABLE a (n); INSERT INTO a VALUES (1);")}
	for _, step := range []struct {
		name             string
		add, text        string
		version, applied int
		says             string
		sum              int
	}{
		{"from nothing", "", "", 1, 1, "", 1},
		{"again", "", "", 1, 0, "", 1},
		{"two more", "0002_b.sql", "INSERT INTO a VALUES (10);", 2, 1, "", 11},
		{"one that fails midway", "0003_c.sql", "INSERT INTO a VALUES (100); INSERT INTO nowhere VALUES (1);", 2, 0, "0003_c.sql", 11},
		{"mended", "0003_c.sql", "INSERT INTO a VALUES (100);", 3, 1, "", 111},
		{"a gap", "0005_e.sql", "INSERT INTO a VALUES (1000);", 0, 0, "0005_e.sql is not number 4", 111},
	} {
		if step.add != "" {
			files[step.add] = sql(step.text)
		}
		version, applied, err := migrate(t.Context(), db, files)
		if version != step.version || applied != step.applied || (err != nil) != (step.says != "") || err != nil && !strings.Contains(err.Error(), step.says) {
			t.Fatalf("%s: version %d, %d applied, %v", step.name, version, applied, err)
		}
		var sum int
		if err := db.QueryRow("SELECT sum(n) FROM a").Scan(&sum); err != nil || sum != step.sum {
			t.Fatalf("%s: the sum is %d, not %d (%v)", step.name, sum, step.sum, err)
		}
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chat.db")
	s := openAt(t, path)
	m := message(chat.NewID(), 1, "x")
	var version int
	err := s.writer.QueryRow("PRAGMA user_version").Scan(&version)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.writer.Exec("PRAGMA user_version = 99")
	if err := errors.Join(err, s.PutMessages(t.Context(), []chat.StoredMessage{m}), s.Close()); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(t.Context(), path, slog.New(slog.DiscardHandler), nil); err == nil {
		t.Fatalf("it was opened: %v", s.Close())
	} else if !strings.Contains(err.Error(), "version 99") || !strings.Contains(err.Error(), "newer program") {
		t.Errorf("it was refused with: %v", err)
	}
	// Refused, it is as it was: the program that made it opens it.
	db, err := pool(path, 1, map[string][]string{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(fmt.Sprintf("PRAGMA user_version = %d", version))
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if found, err := openAt(t, path).StoredByID(t.Context(), []chat.ID{m.ID}); err != nil || len(found) != 1 {
		t.Errorf("after the refusal: %v, %v", found, err)
	}
}
