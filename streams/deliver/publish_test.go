package deliver

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
)

// What is dropped as a repetition is not published; what is published has its number and its record's trace, in
// order, however often that failed before.
func TestPublishesWhatItStores(t *testing.T) {
	o := newOutside(t)
	o.converse(deal, ann, bob)
	o.failures["PublishStored"] = 3
	records := []kafka.Record{
		o.record(0, says(0, deal, ann, 1, "hello")), o.record(1, says(1, deal, ann, 1, "hello")), o.record(2, says(2, deal, bob, 0, "who is it?")),
	}
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	records[0].Headers = []kafka.Header{{Key: kafka.HeaderTraceParent, Value: bytes.Repeat([]byte("0"), 2<<20)}} // whoever wrote that
	records[2].Headers = []kafka.Header{{Key: kafka.HeaderTraceParent, Value: []byte(trace)}}
	o.process(o.deliver().Worker(schemas.TopicMessages, 0), records...)
	var got []int64
	for _, s := range o.published {
		got = append(got, s.Message.Seq)
	}
	if !slices.Equal(got, []int64{1, 2}) || o.published[0].Message.Text != "hello" || o.published[0].TraceParent != "" || o.published[1].TraceParent != trace {
		t.Errorf("published %+v", o.published)
	}
}

// While chat.messages.stored cannot be written, messages are stored and told as ever; only the commit waits.
func TestNobodyWhoChatsWaitsForThePublication(t *testing.T) {
	o := newOutside(t)
	o.converse(deal, ann, bob)
	o.byUser = map[chat.ID][]string{bob.UserID: {"g1"}}
	o.failures["PublishStored"] = -1
	var told int
	toldAll := make(chan struct{})
	o.onCall = func(name string) {
		if name != "Send" {
			return
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		if told++; told == 3 {
			close(toldAll)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	from := assign(cancel,
		[]kafka.Record{o.record(0, says(0, deal, ann, 0, "one"))},
		[]kafka.Record{o.record(1, says(1, deal, ann, 0, "two"))},
		[]kafka.Record{o.record(2, says(2, deal, ann, 0, "three"))})
	cfg := Config{
		Store: o, Owners: o, Sender: o, DeadLetters: o, Publisher: o, Decoder: o, Clock: o.clock, Registerer: o.registry,
		Slice: 1, Slices: 1, ParkAfter: time.Hour, RetryFirst: time.Millisecond, RetryMax: time.Millisecond,
	}
	ended := make(chan error, 1)
	go func() { ended <- New(cfg).Worker(schemas.TopicMessages, 0).Run(ctx, from) }()
	select {
	case <-toldAll:
	case <-ctx.Done():
		t.Error("the second message was not told before the first was published")
	}
	if n := from.count(); n != 0 {
		t.Errorf("%d records are done, and nothing is published", n)
	}
	o.mu.Lock()
	o.failures["PublishStored"] = 0
	o.mu.Unlock()
	<-ended
	if n := from.count(); n != 3 || len(o.published) != 3 {
		t.Errorf("%d records are done, %d published; want 3", n, len(o.published))
	}
}

// What chat.messages.stored will never take holds nothing up: it goes to the dead letters, and what comes with it and after
// it is published, in order. What only all of them together are too large for is left out of nothing.
func TestTooLargeToBePublished(t *testing.T) {
	o := newOutside(t)
	o.converse(deal, ann, bob)
	o.tooLarge = 100
	o.failures["BuryStored"] = 2
	long := strings.Repeat("x", 60)
	o.process(o.deliver().Worker(schemas.TopicMessages, 0),
		o.record(0, says(0, deal, ann, 0, "one")), o.record(1, says(1, deal, ann, 0, strings.Repeat("x", 200))),
		o.record(2, says(2, deal, ann, 0, long)), o.record(3, says(3, deal, ann, 0, long)))
	seqs := func(list []kafka.Stored) (all []int64) {
		for _, s := range list {
			all = append(all, s.Message.Seq)
		}
		return all
	}
	if got := seqs(o.published); !slices.Equal(got, []int64{1, 3, 4}) {
		t.Errorf("published %v; want 1, 3, 4", got)
	}
	if got := seqs(o.leftOut); !slices.Equal(got, []int64{2}) {
		t.Errorf("left out %v; want 2", got)
	}
}

// That a slice waits for chat.messages.stored is said, once it has waited for long, until it is taken: also where nobody
// answers at all.
func TestPublishingIsToldOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutside(t)
		var logged lines
		d := New(Config{Publisher: hanging{o}, Clock: time.Now, Logger: slog.New(slog.NewTextHandler(&logged, nil)), RetryFirst: time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			m := says(0, deal, ann, 0, "one")
			ended <- newMessageWorker(d).publish(ctx, []entry{{StoredMessage: chat.StoredMessage{Message: m}}})
		}()
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if err := d.Publishing(t.Context()); err != nil || logged.String() != "" {
			t.Errorf("after 9 s: %v, logged %q", err, logged.String())
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if err := d.Publishing(t.Context()); err == nil || !strings.Contains(err.Error(), "has not answered since") {
			t.Errorf("after 11 s: %v", err)
		}
		if !strings.Contains(logged.String(), "stored messages wait for chat.messages.stored") {
			t.Errorf("logged %q", logged.String())
		}
		cancel()
		<-ended
		if err := d.Publishing(t.Context()); err != nil {
			t.Errorf("at last: %v", err)
		}
	})
}

// lines is a log that may be read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// hanging answers nobody.
type hanging struct{ *outside }

func (hanging) PublishStored(ctx context.Context, _ []kafka.Stored) error {
	<-ctx.Done()
	return ctx.Err()
}
