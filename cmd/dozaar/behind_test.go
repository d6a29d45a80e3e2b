package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
)

// snapshot copies the embedded store, and gives what puts it back.
func (w *world) snapshot() (restore func()) {
	w.t.Helper()
	store, copied := filepath.Join(w.cfg.Data.DataDir, "store"), w.t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(store)); err != nil {
		w.t.Fatal(err)
	}
	return func() {
		w.t.Helper()
		if err := errors.Join(os.RemoveAll(store), os.CopyFS(store, os.DirFS(copied))); err != nil {
			w.t.Fatal(err)
		}
	}
}

// caughtUp returns when deliver has committed all that was published: what is stored is committed a moment later.
func (w *world) caughtUp() {
	w.t.Helper()
	if err := kafka.CaughtUp(w.t.Context(), kafka.Config{Brokers: w.brokers}, w.group, schemas.TopicMessages); err != nil {
		w.t.Fatal(err)
	}
}

// A store is put back to an older state beside a log that was read on. Nothing is numbered before the group is set back too; then
// everything has the number that it had.
func TestAStoreThatWasPutBackIsRefused(t *testing.T) {
	w := newWorld(t)
	w.everything()
	conversation, user := w.conversation()
	say := func(text string) chat.Message { return draft(text).New(conversation, user, time.Now()) }
	deliver := func(want string) {
		t.Helper()
		r := w.start(roleDeliver)
		ready(t, r)
		if got := w.history(conversation, len(strings.Fields(want))); got != want {
			t.Errorf("history %q; want %q", got, want)
		}
		w.caughtUp()
		r.stop(t)
	}
	w.publish(say("a"), say("b"))
	deliver("a b")
	restore, before := w.snapshot(), time.Now()
	last := say("d")
	w.publish(say("c"), last)
	deliver("a b c d")
	deliver("a b c d") // as long as they belong together, nothing is refused

	restore()
	for range 2 { // refusing changes nothing
		if err := w.start(roleDeliver).result(t); !errors.Is(err, kafka.ErrTopics) || !strings.Contains(err.Error(), "run `dozaar topics rewind --to TIME`") {
			t.Fatalf("%v; want a refusal that names the command", err)
		}
	}
	d := w.deployment()
	leave := w.member()
	if _, err := d.rewindGroup(t.Context(), before, false); !errors.Is(err, kafka.ErrGroupActive) {
		t.Errorf("while a deliver is in the group: %v; want ErrGroupActive", err)
	}
	leave()
	for _, again := range []int64{2, 0} {
		rewound, err := d.rewindGroup(t.Context(), before, false)
		if err != nil || rewound[0].Topic != schemas.TopicMessages || rewound[0].Again != again {
			t.Errorf("%+v, %v; want %d messages to be read again", rewound, err, again)
		}
	}
	w.publish(say("e"))
	deliver("a b c d e")
}

// Records that are in no store because they are among the dead letters are no reason to refuse, though this release
// would have stored them.
func TestDeadLettersAreNotMissing(t *testing.T) {
	w := newWorld(t)
	w.everything()
	conversation, user := w.conversation()
	restore := w.snapshot()
	m := draft("a").New(conversation, user, time.Now())
	w.publish(m)
	deliver := w.start(roleDeliver)
	w.history(conversation, 1)
	w.caughtUp()
	deliver.stop(t)
	restore()
	if err := w.start(roleDeliver).result(t); !errors.Is(err, kafka.ErrTopics) {
		t.Fatalf("%v; want a refusal", err)
	}
	done, err := kafka.LastDone(t.Context(), kafka.Config{Brokers: w.brokers}, w.group, schemas.TopicMessages)
	if err != nil || len(done) != 1 {
		t.Fatalf("%v, %v; want the one record", done, err)
	}
	p, _ := w.producer()
	if err := p.DeadLetter(t.Context(), done[0], errors.New("an earlier release could not read it")); err != nil {
		t.Fatal(err)
	}
	deliver = w.start(roleDeliver)
	ready(t, deliver)
	deliver.stop(t)
}
