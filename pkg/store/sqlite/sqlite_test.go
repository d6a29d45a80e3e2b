package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/store/storetest"
)

var _ storetest.Store = (*Store)(nil)

func TestMain(m *testing.M) {
	if path := os.Getenv(writeUntilKilled); path != "" {
		os.Exit(runWriter(path))
	}
	goleak.VerifyTestMain(m)
}

func TestSuite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store { return openAt(t, filepath.Join(t.TempDir(), "chat.db")) })
}

func openAt(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func message(conversation chat.ID, seq int64, text string) chat.StoredMessage {
	return chat.StoredMessage{
		Message: chat.Message{
			ID: chat.NewID(), ConversationID: conversation, Seq: seq, Text: text,
			Sender: chat.User{ID: chat.NewID(), Username: "ann"}, CreatedAt: time.UnixMilli(1_750_000_000_000 + seq).UTC(),
		},
		Position: chat.Position{Offset: seq},
	}
}

func head(m chat.StoredMessage) chat.Head {
	return chat.Head{ConversationID: m.ConversationID, Seq: m.Seq, Position: m.Position, ActivityAt: m.CreatedAt}
}

// What is erased is in none of the files any more, a text too long for one page neither.
func TestErasedIsGoneFromTheDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chat.db")
	s := openAt(t, path)
	conversation := chat.NewID()
	mine := message(conversation, 1, "a secret, "+strings.Repeat("and more of it, ", 600))
	other := message(conversation, 2, "what somebody else said")
	if err := errors.Join(s.PutMessages(t.Context(), []chat.StoredMessage{mine, other}), s.PutHeads(t.Context(), []chat.Head{head(other)})); err != nil {
		t.Fatal(err)
	}
	holding := func(words string) (found []string) {
		files, err := filepath.Glob(path + "*")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if content, err := os.ReadFile(file); err != nil {
				t.Error(err)
			} else if strings.Contains(string(content), words) {
				found = append(found, filepath.Base(file))
			}
		}
		return found
	}
	if len(holding("a secret")) == 0 || len(holding("and more of it")) == 0 {
		t.Fatal("it was never there")
	}
	if err := s.Erase(t.Context(), mine.Sender.ID, mine.CreatedAt.Add(time.Hour), func(chat.ErasedPart) error { return nil }); err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"a secret", "and more of it"} {
		if found := holding(words); len(found) > 0 {
			t.Errorf("%q is still in %v", words, found)
		}
	}
	if len(holding(other.Text)) == 0 {
		t.Error("what somebody else said is gone, too")
	}
}

// Every connection that writes must wait for the disk; one that reads must not write.
func TestConnections(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "chat.db"))
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "fullfsync": "1", "foreign_keys": "1", "busy_timeout": "10000", "secure_delete": "1"} {
		var got string
		if err := s.writer.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s, not %s (%v)", pragma, got, want, err)
		}
	}
	if n := s.writer.Stats().MaxOpenConnections; n != 1 {
		t.Errorf("%d writing connections", n)
	}
	if _, err := s.readers.Exec("DELETE FROM heads"); err == nil {
		t.Error("a reader writes")
	}
}

func TestPaths(t *testing.T) {
	for _, name := range []string{"plain.db", "with space.db", "what?mode=memory", "50%25.db", "a#b.db", "ü&_pragma=x.db"} {
		folder := t.TempDir()
		s := openAt(t, filepath.Join(folder, name))
		m := message(chat.NewID(), 1, "hello")
		if err := errors.Join(s.PutMessages(t.Context(), []chat.StoredMessage{m}), s.Close()); err != nil {
			t.Fatal(name, err)
		}
		files, err := os.ReadDir(folder)
		if err != nil || len(files) != 1 || files[0].Name() != name {
			t.Fatalf("%s: the folder holds %v (%v)", name, files, err)
		}
		info, err := files[0].Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: others may read it: %v (%v)", name, info.Mode(), err)
		}
		if seq, err := openAt(t, filepath.Join(folder, name)).LastBefore(t.Context(), m.ConversationID, chat.Position{Epoch: 1}); seq != 1 || err != nil {
			t.Errorf("%s: reopened, the last is %d, %v", name, seq, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	folder := t.TempDir()
	garbage := filepath.Join(folder, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("this is no database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		filepath.Join(folder, "no", "such", "folder.db"): "no such file",
		garbage: "not a database",
		folder:  "unable to open",
	} {
		s, err := Open(t.Context(), path, slog.New(slog.DiscardHandler), nil)
		if err == nil {
			t.Errorf("%s was opened: %v", path, s.Close())
		} else if !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestClosed(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "chat.db"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if err := s.PutMessages(t.Context(), []chat.StoredMessage{message(chat.NewID(), 1, "x")}); !errors.Is(err, chat.ErrUnavailable) {
		t.Errorf("a write: %v", err)
	}
	if _, err := s.Messages(t.Context(), chat.NewID(), 0, 1); !errors.Is(err, chat.ErrUnavailable) {
		t.Errorf("a read: %v", err)
	}
}

// A full disk fails a batch as a whole, leaves what was there, and is over as soon as there is room.
func TestFull(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "chat.db"))
	conversation := chat.NewID()
	batch := func(from int64) (list []chat.StoredMessage) {
		for seq := from; seq < from+500; seq++ {
			list = append(list, message(conversation, seq, strings.Repeat("x", 1000)))
		}
		return list
	}
	first, second := batch(1), batch(501)
	if err := errors.Join(s.PutMessages(t.Context(), first), s.PutHeads(t.Context(), []chat.Head{{ConversationID: conversation, Seq: 1000}})); err != nil {
		t.Fatal(err)
	}
	var pages int
	if err := s.writer.QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	if _, err := s.writer.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages+20)); err != nil {
		t.Fatal(err)
	}
	check := func(when string, want int) {
		t.Helper()
		list, err := s.Messages(t.Context(), conversation, 0, 2000)
		if err != nil || len(list) != want {
			t.Fatalf("%s: %d messages, %v", when, len(list), err)
		}
		var ids []chat.ID
		for _, m := range append(first, second...) {
			ids = append(ids, m.ID)
		}
		found, err := s.StoredByID(t.Context(), ids)
		if err != nil || len(found) != want {
			t.Fatalf("%s: %d by-id rows, %v", when, len(found), err)
		}
	}
	for range 2 {
		if err := s.PutMessages(t.Context(), second); !errors.Is(err, chat.ErrUnavailable) {
			t.Fatalf("a full disk gave %v", err)
		}
		check("full", 500)
	}
	if _, err := s.writer.Exec("PRAGMA max_page_count = 1000000"); err != nil {
		t.Fatal(err)
	}
	if err := s.PutMessages(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	check("with room again", 1000)
}

// Whatever goes wrong in the middle of a write, nothing of it stays. A fault of ours is not called unavailable.
func TestHalfway(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "chat.db"))
	ctx, list := t.Context(), []chat.StoredMessage{}
	for seq := int64(1); seq <= 5; seq++ {
		list = append(list, message(chat.NewID(), seq, "x"))
	}
	c := chat.Conversation{ID: chat.NewID(), Revision: 1, Members: []chat.Member{{UserID: chat.NewID(), Username: "ann"}, {UserID: chat.NewID(), Username: "bob"}}}
	known := chat.Conversation{ID: chat.NewID(), Revision: 1}
	if _, _, err := s.CreateConversation(ctx, known); err != nil {
		t.Fatal(err)
	}
	for _, fault := range []string{
		"CREATE TEMP TRIGGER t1 AFTER INSERT ON message_ids WHEN NEW.seq = 3 BEGIN SELECT RAISE(FAIL, 'fault'); END",
		"CREATE TEMP TRIGGER t2 AFTER INSERT ON heads WHEN NEW.seq = 3 BEGIN SELECT RAISE(FAIL, 'fault'); END",
		"CREATE TEMP TRIGGER t3 AFTER INSERT ON members WHEN NEW.username = 'bob' BEGIN SELECT RAISE(FAIL, 'fault'); END",
		"CREATE TEMP TRIGGER t4 AFTER UPDATE ON conversations BEGIN SELECT RAISE(FAIL, 'fault'); END",
	} {
		if _, err := s.writer.Exec(fault); err != nil {
			t.Fatal(err)
		}
	}
	var heads []chat.Head
	var ids, rooms []chat.ID
	for _, m := range list {
		heads, ids, rooms = append(heads, head(m)), append(ids, m.ID), append(rooms, m.ConversationID)
	}
	_, _, createErr := s.CreateConversation(ctx, c)
	_, memberErr := s.PutMember(ctx, known.ID, c.Members[0])
	for _, err := range []error{s.PutMessages(ctx, list), s.PutHeads(ctx, heads), createErr, memberErr} {
		if err == nil || !strings.Contains(err.Error(), "fault") || errors.Is(err, chat.ErrUnavailable) {
			t.Errorf("the fault came out as %v", err)
		}
	}
	if found, err := s.StoredByID(ctx, ids); len(found) != 0 || err != nil {
		t.Errorf("half the messages: %v, %v", found, err)
	}
	if found, err := s.Heads(ctx, rooms); len(found) != 0 || err != nil {
		t.Errorf("half the heads: %v, %v", found, err)
	}
	if found, err := s.Conversation(ctx, c.ID); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("half a conversation: %v, %v", found, err)
	}
	if found, err := s.Conversation(ctx, known.ID); len(found.Members) != 0 || found.Revision != 1 || err != nil {
		t.Errorf("a member without a revision: %v, %v", found, err)
	}
}

// While something else holds the write lock, reads go on, and a write waits as long as its caller allows.
func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chat.db")
	s := openAt(t, path)
	m := message(chat.NewID(), 1, "x")
	other := openAt(t, path)
	tx, err := other.writer.Begin()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.PutMessages(ctx, []chat.StoredMessage{m}); !errors.Is(err, chat.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a write past its deadline: %v", err)
	}
	if _, err := s.Heads(t.Context(), []chat.ID{m.ConversationID}); err != nil {
		t.Errorf("a read: %v", err)
	}
	done := make(chan error)
	go func() { done <- s.PutMessages(t.Context(), []chat.StoredMessage{m}) }()
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("a write that waited: %v", err)
	}
	if found, err := s.StoredByID(t.Context(), []chat.ID{m.ID}); len(found) != 1 || err != nil {
		t.Errorf("after waiting: %v, %v", found, err)
	}
}

// A caller that gives up in the middle leaves nothing, and the writing connection usable and still careful.
func TestGivingUp(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "chat.db"))
	for i := range 20 {
		conversation := chat.NewID()
		var list []chat.StoredMessage
		for seq := int64(1); seq <= 300; seq++ {
			list = append(list, message(conversation, seq, "x"))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*200*time.Microsecond)
		err := s.PutMessages(ctx, list)
		cancel()
		stored, lastErr := s.LastBefore(t.Context(), conversation, chat.Position{Epoch: 1})
		var rows int
		countErr := s.readers.QueryRow("SELECT count(*) FROM messages WHERE conversation_id = ?", conversation[:]).Scan(&rows)
		switch {
		case lastErr != nil || countErr != nil:
			t.Fatal(lastErr, countErr)
		case err == nil && rows != 300, err != nil && rows != 0 && rows != 300:
			t.Fatalf("%d rows up to %d are stored after %v", rows, stored, err)
		case err != nil && !errors.Is(err, chat.ErrUnavailable):
			t.Fatalf("a deadline gave %v", err)
		}
	}
	var synchronous int
	if err := s.writer.QueryRow("PRAGMA synchronous").Scan(&synchronous); err != nil || synchronous != 2 {
		t.Errorf("synchronous is %d (%v)", synchronous, err)
	}
}

// What a page of an inbox or a list of peers costs must not depend on what others have stored.
func TestNoScans(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "chat.db"))
	for name, query := range map[string]string{"inbox": inboxPage, "peers": peersOf} {
		rows, err := s.readers.Query("EXPLAIN QUERY PLAN "+query, make([]any, strings.Count(query, "?"))...)
		if err != nil {
			t.Fatal(err)
		}
		var plan []string
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, detail)
			if strings.HasPrefix(detail, "SCAN") && detail != "SCAN page" && detail != "SCAN activity" { // what was picked out already
				t.Errorf("%s: %s", name, detail)
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil || len(plan) < 3 {
			t.Errorf("%s: plan %q (%v)", name, plan, err)
		}
	}
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	for range 2 { // a second store in the process adds to the first one's metrics
		s, err := Open(t.Context(), filepath.Join(t.TempDir(), "chat.db"), slog.New(slog.DiscardHandler), registry)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Conversation(t.Context(), chat.NewID()); !errors.Is(err, chat.ErrNotFound) {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Inbox(t.Context(), chat.NewID(), chat.InboxCursor{}, 1); err == nil {
			t.Fatal("a closed store answers")
		}
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName() + " " + m.GetLabel()[0].GetValue()
			got[name] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	want := map[string]float64{
		"dozaar_store_operation_seconds conversation": 2,
		"dozaar_store_operation_seconds inbox":        2,
		"dozaar_store_operation_failures_total inbox": 2,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func integrity(t *testing.T, db *sql.DB) {
	t.Helper()
	var verdict string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Fatalf("the file is broken: %s (%v)", verdict, err)
	}
}
