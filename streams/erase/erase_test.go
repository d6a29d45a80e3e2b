package erase

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/pkg/store/storetest"
	"github.com/dozaar/dozaar/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 2, 3, 12, 0, 0, 0, time.UTC)

// world is what is around a worker, and notes what it does.
type world struct {
	*storetest.Memory
	*schemas.Codec
	t        *testing.T
	failures map[string]int // how often a call fails from now on
	calls    []string
	told     []chat.ErasureEvent
	buried   int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	codec, err := schemas.NewCodec(t.Context(), oneForAll{})
	if err != nil {
		t.Fatal(err)
	}
	return &world{Memory: storetest.NewMemory(), Codec: codec, t: t, failures: map[string]int{}}
}

type oneForAll struct{}

func (oneForAll) ID(context.Context, string, string) (int, error) { return 1, nil }
func (oneForAll) Schema(context.Context, int) (string, error)     { return "", schemas.ErrNotRegistered }

func (w *world) call(name string) error {
	w.calls = append(w.calls, name)
	if w.failures[name] > 0 {
		w.failures[name]--
		return errors.New(name + " fails")
	}
	return nil
}

func (w *world) Erase(ctx context.Context, user chat.ID, before time.Time, each func(chat.ErasedPart) error) error {
	if err := w.call("erase"); err != nil {
		return err
	}
	return w.Memory.Erase(ctx, user, before, each)
}

func (w *world) PutErasure(ctx context.Context, e chat.Erasure) error {
	if err := w.call("put"); err != nil {
		return err
	}
	return w.Memory.PutErasure(ctx, e)
}

func (w *world) PublishErasure(_ context.Context, e chat.ErasureEvent) error {
	if err := w.call("tell " + string(e.Change)); err != nil {
		return err
	}
	w.told = append(w.told, e)
	return nil
}

func (w *world) DeadLetter(_ context.Context, _ kafka.Record, why error) error {
	if word, _, _ := strings.Cut(why.Error(), ":"); !slices.Contains([]string{"undecodable", "key", "invalid"}, word) {
		w.t.Errorf("its reason is %q", why)
	}
	w.buried++
	return w.call("bury")
}

func (w *world) stored(context.Context) error { return w.call("stored") }

// process gives a worker records, and returns when they are done.
func (w *world) process(records ...kafka.Record) {
	w.t.Helper()
	e := newEraser(Config{Store: w, Publisher: w, Decoder: w, Stored: w.stored, Clock: func() time.Time { return noon.Add(time.Minute) }, RetryFirst: time.Microsecond})
	if err := e.process(w.t.Context(), records); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) request(user chat.ID, at time.Time) kafka.Record {
	w.t.Helper()
	value, err := w.EncodeErasure(chat.ErasureEvent{Change: chat.ErasureRequested, UserID: user, RequestedAt: at, At: at})
	if err != nil {
		w.t.Fatal(err)
	}
	return kafka.Record{Topic: Topic, Key: []byte(user.String()), Value: value}
}

// write has somebody send messages, and stores them.
func (w *world) write(conversation, user chat.ID, n int) {
	w.t.Helper()
	var all []chat.StoredMessage
	for i := range n {
		m := chat.Draft{Text: "secret"}.New(conversation, chat.User{ID: user, Username: "Ann"}, noon.Add(-time.Hour))
		m.Seq = int64(i + 1)
		all = append(all, chat.StoredMessage{Message: m, Position: chat.Position{Offset: int64(i)}})
	}
	last := all[n-1]
	if err := errors.Join(w.PutMessages(w.t.Context(), all), w.PutHeads(w.t.Context(), []chat.Head{{ConversationID: conversation, Seq: last.Seq, Position: last.Position}})); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) texts(conversation chat.ID) (texts []string) {
	w.t.Helper()
	list, err := w.Messages(w.t.Context(), conversation, 0, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, m := range list {
		texts = append(texts, m.Text)
	}
	return texts
}

// In this order: what is on its way is stored, the history is erased, each part is told, it is done. Whatever fails is tried
// again, and a second record of the same request does nothing.
func TestErase(t *testing.T) {
	w := newWorld(t)
	ann, conversation := chat.NewID(), chat.NewID()
	w.write(conversation, ann, 3)
	w.failures = map[string]int{"stored": 1, "erase": 2, "tell messages": 1, "tell done": 1, "put": 1}
	w.process(w.request(ann, noon))
	if got := w.texts(conversation); !slices.Equal(got, []string{"", "", ""}) {
		t.Errorf("the texts are %q", got)
	}
	first := func(name string) int { return slices.Index(w.calls, name) }
	if first("stored") > first("erase") || first("erase") > first("tell messages") || first("tell messages") > first("tell done") {
		t.Errorf("calls %v", w.calls)
	}
	last := w.told[len(w.told)-1]
	if last.Change != chat.ErasureDone || last.Messages != 3 || last.UserID != ann || !last.RequestedAt.Equal(noon) {
		t.Errorf("told at last %+v", last)
	}
	for _, e := range w.told[:len(w.told)-1] {
		if e.Change == chat.ErasureMessages && (e.Part.ConversationID != conversation || !slices.Equal(e.Part.Seqs, []int64{1, 2, 3})) {
			t.Errorf("told %+v", e)
		}
	}
	so, found, err := w.Erasure(t.Context(), ann)
	if err != nil || !found || so.Messages != 3 || so.Conversations != 1 || !so.FinishedAt.Equal(noon.Add(time.Minute)) {
		t.Errorf("the erasure is %+v, %v", so, err)
	}
	w.calls = nil
	w.process(w.request(ann, noon), w.request(ann, noon.Add(-time.Minute)))
	if len(w.calls) > 0 {
		t.Errorf("once more: %v", w.calls)
	}
}

// What was sent after the request stays, and so does everybody else's.
func TestEraseOnlyWhatWasAskedFor(t *testing.T) {
	w := newWorld(t)
	ann, bob, hers, his := chat.NewID(), chat.NewID(), chat.NewID(), chat.NewID()
	w.write(hers, ann, 2)
	w.write(his, bob, 2)
	w.process(w.request(ann, noon.Add(-2*time.Hour)))
	if got := append(w.texts(hers), w.texts(his)...); !slices.Equal(got, []string{"secret", "secret", "secret", "secret"}) {
		t.Errorf("the texts are %q", got)
	}
	w.process(w.request(ann, noon)) // a newer request
	if got := append(w.texts(hers), w.texts(his)...); !slices.Equal(got, []string{"", "", "secret", "secret"}) {
		t.Errorf("then the texts are %q", got)
	}
}

// What cannot be read goes to the dead letters, and our own records are no requests.
func TestWhatIsNoRequest(t *testing.T) {
	w := newWorld(t)
	ann := chat.NewID()
	foreign := w.request(ann, noon)
	foreign.Key = []byte(chat.NewID().String())
	var own []kafka.Record
	for _, change := range []chat.ErasureChange{chat.ErasureMessages, chat.ErasureDone, "something later"} {
		value, err := w.EncodeErasure(chat.ErasureEvent{Change: change, UserID: ann, RequestedAt: noon, At: noon})
		if err != nil {
			t.Fatal(err)
		}
		own = append(own, kafka.Record{Topic: Topic, Key: []byte(ann.String()), Value: value})
	}
	w.failures["bury"] = 1
	w.process(append(own, foreign, kafka.Record{Topic: Topic, Value: []byte("no Avro")})...)
	if w.buried != 3 || fmt.Sprint(w.calls) != "[bury bury bury]" {
		t.Errorf("buried %d, calls %v", w.buried, w.calls)
	}
}

// A request of a time that is still to come, by more than clocks differ, is nobody's: it would erase what is not written yet,
// and every later request would be an older one.
func TestRequestOfAFarTime(t *testing.T) {
	w := newWorld(t)
	ann, conversation := chat.NewID(), chat.NewID()
	w.write(conversation, ann, 1)
	w.process(w.request(ann, noon.Add(2*chat.MaxErasureAhead)))
	if _, known, err := w.Erasure(t.Context(), ann); known || err != nil || w.buried != 1 || !slices.Equal(w.texts(conversation), []string{"secret"}) {
		t.Errorf("buried %d, known %t, %v, the texts are %q", w.buried, known, err, w.texts(conversation))
	}
	w.process(w.request(ann, noon.Add(chat.MaxErasureAhead/2)))
	if got := w.texts(conversation); !slices.Equal(got, []string{""}) {
		t.Errorf("by a clock that is a little ahead: the texts are %q", got)
	}
}
