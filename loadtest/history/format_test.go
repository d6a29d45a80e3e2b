package history

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/google/uuid"
)

func written(t *testing.T, events []Event) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "history")
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		w.Record(e)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func readAll(path string) (events []Event, err error) {
	return gather(File(path)())
}

func gather(history iter.Seq2[Event, error]) (events []Event, err error) {
	for e, err := range history {
		if err != nil {
			return events, err
		}
		events = append(events, e)
	}
	return events, nil
}

func TestFileKeepsEveryField(t *testing.T) {
	id := rapid.Custom(func(t *rapid.T) (id uuid.UUID) {
		id[3] = byte(rapid.IntRange(0, 5).Draw(t, "id"))
		return id
	})
	text := rapid.SampledFrom([]string{"", "a", "b", "a longer one"})
	number := rapid.Int64Range(-1, 1<<40)
	event := rapid.Custom(func(t *rapid.T) Event {
		return Event{
			At: time.Duration(rapid.Int64Range(1, 1<<40).Draw(t, "at")), Kind: Kind(rapid.IntRange(1, int(kinds)-1).Draw(t, "kind")),
			Device: text.Draw(t, "device"), User: id.Draw(t, "user"), Conversation: id.Draw(t, "conversation"),
			Seq: number.Draw(t, "seq"), Message: id.Draw(t, "message"), Client: id.Draw(t, "client"), Sender: id.Draw(t, "sender"),
			Body: Body(rapid.Uint64().Draw(t, "body")), Outcome: Outcome(rapid.IntRange(0, 2).Draw(t, "outcome")), Code: text.Draw(t, "code"),
			AfterSeq: number.Draw(t, "after"), LastSeq: number.Draw(t, "last"), ReadSeq: number.Draw(t, "read"), Missed: number.Draw(t, "missed"),
			Recovered: rapid.Bool().Draw(t, "recovered"), Due: time.Duration(number.Draw(t, "due")), Note: text.Draw(t, "note"),
		}
	})
	rapid.Check(t, func(rt *rapid.T) {
		events := rapid.SliceOfN(event, 0, 20).Draw(rt, "events")
		got, err := readAll(written(t, events))
		if err != nil || !slices.Equal(got, events) {
			rt.Fatalf("%v\nwrote %v\nread  %v", err, events, got)
		}
	})
}

// TestCutFile: a file whose writer was killed is read as far as it goes, and says so.
func TestCutFile(t *testing.T) {
	events := script(t, story)
	path := written(t, events)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ends := map[int]bool{len(magic): true} // where nothing is cut in two
	for cut := range whole {
		got, err := gather(func(yield func(Event, error) bool) { read(bufio.NewReader(bytes.NewReader(whole[:cut])), yield) })
		if len(got) > len(events) || !slices.Equal(got, events[:len(got)]) {
			t.Fatalf("cut at %d: %d other events", cut, len(got))
		}
		switch {
		case err == nil:
			ends[cut] = true
		case cut >= len(magic) && !errors.Is(err, io.ErrUnexpectedEOF):
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
	if len(ends) != len(events) {
		t.Errorf("%d places seem whole, of %d events", len(ends), len(events))
	}
	if err := os.WriteFile(path, whole[:len(whole)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if v, err := Check(File(path), Options{}); err == nil || v.Clean() {
		t.Error("a cut file passes for a clean one")
	}
}

func TestNoHistory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other")
	for _, text := range []string{"", "something else that is longer", magic + "\xff\xff\xff\xff\x7f", magic + "\x02\x01\xff", magic + "\x03\x09\x01\x00"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if events, err := readAll(path); err == nil {
			t.Errorf("%q was read as %v", text, events)
		}
	}
	if _, err := readAll(path + " is not there"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func FuzzRecords(f *testing.F) {
	f.Add([]byte{1, 0, 0})
	f.Fuzz(func(_ *testing.T, b []byte) {
		var c codec
		_, _ = c.take(b)
	})
}
