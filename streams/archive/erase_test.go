package archive

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
)

// erase publishes what streams/erase does for some numbers of a conversation.
func (w *world) erase(user, conversation chat.ID, before time.Time, seqs ...int64) {
	w.Helper()
	of := chat.ErasureEvent{UserID: user, RequestedAt: before, At: before}
	for _, change := range []chat.ErasureChange{chat.ErasureRequested, chat.ErasureMessages, chat.ErasureDone} {
		e := of
		e.Change = change
		if change == chat.ErasureMessages {
			e.Part = chat.ErasedPart{ConversationID: conversation, Seqs: seqs, From: noon, To: noon}
		}
		if err := w.producer.PublishErasure(w.Context(), e); err != nil {
			w.Fatal(err)
		}
	}
}

// today has everything sent just now, as the files' days are those of the log.
func today(t *testing.T) {
	t.Helper()
	was := noon
	noon = time.Now().UTC().Truncate(time.Millisecond)
	t.Cleanup(func() { noon = was })
}

// What is erased is gone from the files that had it, from what is written after, also by another process, and by nobody
// else's hand: other people's messages, later ones, and files that need no change stay as they are.
func TestErased(t *testing.T) {
	today(t)
	w := newWorld(t)
	bob := chat.User{ID: chat.NewID(), Username: "Bob"}
	say := func(who chat.User, seq int64, text string, at time.Time) {
		m := chat.Draft{Text: text, AttachmentURLs: []string{"https://a/1"}}.New(conversation, who, at)
		m.Seq = seq
		if err := w.stored.PublishStored(t.Context(), []kafka.Stored{{Message: m}}); err != nil {
			t.Fatal(err)
		}
	}
	say(bob, 1, "bob's", noon)
	w.archive(w.config())
	untouched := w.files()[0]
	info, err := os.Stat(filepath.Join(w.dir, untouched.path()))
	if err != nil {
		t.Fatal(err)
	}
	requested := noon.Add(time.Second)
	say(ann, 2, "ann's", noon)
	say(ann, 3, "ann's, later", requested)
	w.archive(w.config())
	say(ann, 4, "ann's, waiting", noon)
	w.erase(ann.ID, conversation, requested, 2, 4)
	w.archive(w.config())
	say(ann, 5, "ann's, late in the log", noon)
	w.archive(w.config())
	if got, want := w.rows(), []string{"bob's https://a/1 Bob", "", "ann's, later https://a/1 Ann", "", ""}; !slices.Equal(got, want) {
		t.Errorf("archived %q; want %q", got, want)
	}
	if after, err := os.Stat(filepath.Join(w.dir, untouched.path())); err != nil || !os.SameFile(info, after) {
		t.Errorf("%s was written anew: %v", untouched.path(), err)
	}
}

// rows are text, attachments and name of what is archived, "" where all are gone.
func (w *world) rows() (all []string) {
	w.Helper()
	type row struct {
		Text        string   `parquet:"text"`
		Attachments []string `parquet:"attachmentUrls,list"`
		Name        string   `parquet:"senderUsername"`
	}
	for _, f := range w.files() {
		if f.event != "message_stored" {
			continue
		}
		for _, r := range readAll[row](w, f) {
			text := r.Text
			for _, a := range append(r.Attachments, r.Name) {
				if a != "" {
					text += " " + a
				}
			}
			all = append(all, text)
		}
	}
	return all
}

// What asks for everything to be erased that is still to be written erases nothing, now or after a restart.
func TestErasureOfAFarTime(t *testing.T) {
	today(t)
	w := newWorld(t)
	w.publish(conversation, 1, 1)
	w.archive(w.config())
	w.erase(ann.ID, conversation, noon.Add(24*time.Hour), 1)
	w.archive(w.config())
	w.publish(conversation, 2, 1)
	w.archive(w.config())
	if got := w.texts(); !slices.Equal(got, []string{"message 1", "message 2"}) {
		t.Errorf("archived %q", got)
	}
}

// The day of a record is one that there can be, whatever somebody wrote into the log as its time.
func TestStrangeTimes(t *testing.T) {
	a := newArchive(Config{Clock: func() time.Time { return noon }})
	for want, at := range map[string]time.Time{
		"2026-02-02": noon.Add(-24 * time.Hour),
		"2026-02-03": time.UnixMilli(1 << 60),
		"1970-01-01": time.UnixMilli(-1 << 60),
	} {
		if got := a.dayOf(at); got != want {
			t.Errorf("%s is on %s; want %s", at, got, want)
		}
	}
}
