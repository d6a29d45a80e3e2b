package deliver

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
)

func TestWhatIsRefused(t *testing.T) {
	o := newOutside(t)
	message := func(edit func(*chat.Message)) kafka.Record {
		m := says(1, deal, ann, 7, "hello")
		edit(&m)
		return o.record(0, m)
	}
	edit := func(edit func(*kafka.Record)) kafka.Record {
		r := o.record(0, says(1, deal, ann, 0, "hello"))
		edit(&r)
		return r
	}
	receipt := func(edit func(*chat.Receipt)) kafka.Record {
		r := reads(deal, bob, 3, ann)
		edit(&r)
		return o.receipt(0, r)
	}
	event := func(edit func(*chat.ConversationEvent)) kafka.Record {
		e := chat.ConversationEvent{Change: chat.MemberPut, Conversation: chat.Conversation{ID: deal}, UserID: bob.UserID, At: simTime}
		edit(&e)
		return o.event(0, e)
	}
	for _, c := range []struct {
		name   string
		record kafka.Record
		reason string
	}{
		{"a sound message", message(func(*chat.Message) {}), ""},
		{"the longest text", message(func(m *chat.Message) { m.Text = strings.Repeat("𝄞", chat.MaxMessageChars) }), ""},
		{"a text with NUL", message(func(m *chat.Message) { m.Text = "a\x00b" }), ""},
		{"no value", edit(func(r *kafka.Record) { r.Value = nil }), "undecodable"},
		{"no framing", edit(func(r *kafka.Record) { r.Value = []byte("hello") }), "undecodable"},
		{"an unknown schema", edit(func(r *kafka.Record) { r.Value = slices.Concat([]byte{0, 0, 0, 0, 99}, r.Value[5:]) }), "undecodable"},
		{"a body cut short", edit(func(r *kafka.Record) { r.Value = r.Value[:len(r.Value)-1] }), "undecodable"},
		{"no key", edit(func(r *kafka.Record) { r.Key = nil }), "key"},
		{"another key", edit(func(r *kafka.Record) { r.Key = []byte(simID('c', 2).String()) }), "key"},
		{"a key in other letters", edit(func(r *kafka.Record) { r.Key = []byte(strings.ToUpper(string(r.Key))) }), "key"},
		{"a text too long", message(func(m *chat.Message) { m.Text = strings.Repeat("x", chat.MaxMessageChars+1) }), "invalid"},
		{"nothing said", message(func(m *chat.Message) { m.Text = "" }), "invalid"},
		{"a file", message(func(m *chat.Message) { m.AttachmentURLs = []string{"file:///etc/passwd"} }), "invalid"},
		{"no sender", message(func(m *chat.Message) { m.Sender.ID = chat.ID{} }), "invalid"},
		{"no name", message(func(m *chat.Message) { m.Sender.Username = "" }), "invalid"},
		{"no message id", message(func(m *chat.Message) { m.ID, m.ClientMessageID = chat.ID{}, chat.ID{} }), "invalid"},
		{"no conversation id", message(func(m *chat.Message) { m.ConversationID, m.ClientMessageID = chat.ID{}, chat.ID{} }), "invalid"},
		{"a message id of its own making", message(func(m *chat.Message) { m.ID = simID('m', 1) }), "invalid"},
		{"before computers", message(func(m *chat.Message) { m.CreatedAt = time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC) }), "invalid"},
		{"five digits of years", message(func(m *chat.Message) { m.CreatedAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }), "invalid"},

		{"a sound receipt", receipt(func(*chat.Receipt) {}), ""},
		{"a receipt of nothing", receipt(func(r *chat.Receipt) { r.Seq = 0 }), "invalid"},
		{"a receipt by nobody", receipt(func(r *chat.Receipt) { r.UserID = chat.ID{} }), "invalid"},
		{"a receipt for nobody", receipt(func(r *chat.Receipt) { r.SenderID = chat.ID{} }), "invalid"},
		{"a receipt without a message", receipt(func(r *chat.Receipt) { r.MessageID = chat.ID{} }), "invalid"},
		{"a receipt from the future", receipt(func(r *chat.Receipt) { r.At = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }), "invalid"},

		{"a sound event", event(func(*chat.ConversationEvent) {}), ""},
		{"an event of a later version", event(func(e *chat.ConversationEvent) { e.Change = "member_muted" }), ""},
		{"an event of no conversation", event(func(e *chat.ConversationEvent) { e.Conversation.ID = chat.ID{} }), "invalid"},
		{"nobody was added", event(func(e *chat.ConversationEvent) { e.UserID = chat.ID{} }), "invalid"},
		{"nobody is added to a new one", event(func(e *chat.ConversationEvent) { e.Change, e.UserID = chat.Created, chat.ID{} }), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOutside(t)
			o.process(o.deliver().Worker(c.record.Topic, 0), c.record)
			if c.reason == "" {
				if len(o.buried) > 0 {
					t.Fatalf("refused: %v", o.buried[0].why)
				}
				return
			}
			if len(o.buried) != 1 || string(o.buried[0].record.Value) != string(c.record.Value) {
				t.Fatalf("dead letters %v, want the record as it was", o.buried)
			}
			if why, ok := errors.AsType[*refusal](o.buried[0].why); !ok || why.reason != c.reason {
				t.Errorf("refused because %v, want %s", o.buried[0].why, c.reason)
			}
			if o.count("dozaar_deliver_dead_letters_total", c.reason) != 1 {
				t.Error("the dead letter is not counted")
			}
			for _, call := range o.calls {
				if call != "DeadLetter" {
					t.Errorf("a refused record led to %s", call)
				}
			}
		})
	}
}

// A dead letter is with Kafka before anything later has a number, and takes none itself.
func TestADeadLetterIsWaitedFor(t *testing.T) {
	o := newOutside(t)
	o.failures["DeadLetter"] = 3
	poison := o.record(1, says(9, deal, ann, 0, "poison"))
	poison.Value = nil
	before, later := says(1, deal, ann, 0, "before"), says(2, deal, ann, 0, "later")
	o.process(o.deliver().Worker(schemas.TopicMessages, 0), o.record(0, before), poison, o.record(2, later))
	last := slices.Index(o.calls, "DeadLetter")
	for range 3 {
		last += 1 + slices.Index(o.calls[last+1:], "DeadLetter")
	}
	// A slice with what is before may be under way beside it; the one with what is later is not.
	if !slices.Contains(o.calls[last:], "StoredByID") {
		t.Errorf("calls %v, want what is later to be read after the last DeadLetter", o.calls)
	}
	if got := o.seqs(before, later); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("numbers %v, want 1, 2", got)
	}
	if len(o.buried) != 1 || !errors.Is(o.buried[0].why, schemas.ErrPoison) {
		t.Errorf("dead letters %v", o.buried)
	}
}
