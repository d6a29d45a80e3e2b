package deliver

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/pkg/relay"
	"github.com/dozaar/dozaar/schemas"
)

// stage is in which order the calls for one slice are made. Those of one stage are made beside each other, but for
// these: LastBefore follows Heads, and Send follows Owners.
var stage = map[string]int{
	"StoredByID": 1, "Heads": 1, "LastBefore": 1, "Conversation": 1,
	"PutMessages": 2, "PutReadMarks 1": 2,
	"PutHeads":   3,
	"PutInboxes": 4, "Owners": 4, "Send": 4,
	"PublishStored": 5,
}

func TestOneSliceIsOneCallOfEachKindInOrder(t *testing.T) {
	o := newOutside(t)
	o.converse(deal, ann, bob)
	o.byUser = map[chat.ID][]string{bob.UserID: {"g1"}}
	w := o.deliver().Worker(schemas.TopicMessages, 0)
	o.process(w, o.record(0, says(0, deal, ann, 0, "hello")), o.record(1, says(2, deal, ann, 0, "anybody there?")))
	if !slices.IsSortedFunc(o.calls, func(a, b string) int { return stage[a] - stage[b] }) || slices.Index(o.calls, "Send") < slices.Index(o.calls, "Owners") {
		t.Errorf("calls %v are not in the order of their stages", o.calls)
	}
	slices.Sort(o.calls)
	want := []string{"Conversation", "Heads", "Owners", "PublishStored", "PutHeads", "PutInboxes", "PutMessages", "PutReadMarks 1", "Send", "StoredByID"}
	if !slices.Equal(o.calls, want) {
		t.Errorf("calls %v, want %v", o.calls, want)
	}
	for user, want := range map[chat.ID]int64{ann.UserID: 2, bob.UserID: 0} {
		if got, _ := o.ReadSeqs(t.Context(), deal, []chat.ID{user}); got[user] != want {
			t.Errorf("read mark %d, want %d: sending moves the sender's own", got, want)
		}
	}
	o.calls = nil
	o.process(w, o.record(2, says(3, deal, bob, 0, "yes")))
	if slices.Contains(o.calls, "Heads") || slices.Contains(o.calls, "Conversation") {
		t.Errorf("calls %v: numbers and members are remembered", o.calls)
	}
	if got := o.count("dozaar_deliver_messages_numbered_total", ""); got != 3 {
		t.Errorf("%v numbered, want 3", got)
	}
	if got := o.count("dozaar_deliver_produced_to_stored_seconds", ""); got != 3 {
		t.Errorf("%v times observed, want 3", got)
	}
}

// The rows below are what a store has when a worker that knows nothing meets a record at offset 10.
func TestColdBase(t *testing.T) {
	at := func(epoch int32, offset int64) chat.Position { return chat.Position{Epoch: epoch, Offset: offset} }
	row := func(seq int64, p chat.Position) chat.StoredMessage {
		m := says(int(seq)+100, deal, ann, 0, "earlier")
		m.Seq = seq
		return chat.StoredMessage{Message: m, Position: p}
	}
	for _, c := range []struct {
		name   string
		rows   []chat.StoredMessage
		head   int // how many of the rows are under the head
		want   int64
		source string
	}{
		{"nothing stored", nil, 0, 1, "none"},
		{"the head is lower", []chat.StoredMessage{row(1, at(1, 3)), row(2, at(1, 9))}, 2, 3, "head"},
		{"the head is this record's", []chat.StoredMessage{row(1, at(1, 3)), row(2, at(1, 10))}, 2, 2, "row"},
		{"the head is higher", []chat.StoredMessage{row(1, at(1, 3)), row(2, at(1, 10)), row(3, at(1, 12))}, 3, 2, "row"},
		{"all is higher", []chat.StoredMessage{row(1, at(1, 10)), row(2, at(1, 12))}, 2, 1, "row"},
		{"an older epoch's offsets are lower, whatever they are", []chat.StoredMessage{row(1, at(0, 500))}, 1, 2, "head"},
		{"a newer epoch's offsets are higher, whatever they are", []chat.StoredMessage{row(1, at(1, 3)), row(2, at(2, 0))}, 2, 2, "row"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOutside(t)
			err := o.PutMessages(t.Context(), c.rows)
			if c.head > 0 {
				err = errors.Join(err, o.PutHeads(t.Context(), []chat.Head{headOf(entriesOf(c.rows[:c.head]))}))
			}
			base, readErr := newMessageWorker(o.deliver()).coldBase(t.Context(), deal, at(1, 10))
			if err := errors.Join(err, readErr); err != nil {
				t.Fatal(err)
			}
			if base+1 != c.want {
				t.Errorf("number %d, want %d", base+1, c.want)
			}
			if o.count("dozaar_deliver_bases_total", c.source) != 1 {
				t.Errorf("the base does not come from %q", c.source)
			}
		})
	}
}

func entriesOf(rows []chat.StoredMessage) []entry {
	entries := make([]entry, len(rows))
	for i, r := range rows {
		entries[i].StoredMessage = r
	}
	return entries
}

// Somebody else numbered what this worker did not see; it must not go on from what it remembers.
func TestAJumpForgets(t *testing.T) {
	one, two, three := says(1, deal, ann, 0, "one"), says(2, deal, bob, 0, "two"), says(3, deal, ann, 0, "three")
	for _, c := range []struct {
		name  string
		later func(o *outside, w kafka.Worker)
	}{
		{"between batches", func(o *outside, w kafka.Worker) {
			o.process(w, o.record(0, one))
			o.process(o.deliverAgain(), o.record(1, two))
			o.process(w, o.record(2, three))
		}},
		{"within a batch", func(o *outside, w kafka.Worker) {
			o.process(o.deliverAgain(), o.record(0, one), o.record(1, two))
			o.process(w, o.record(0, one), o.record(2, three))
		}},
		{"backwards", func(o *outside, w kafka.Worker) {
			o.process(w, o.record(0, one), o.record(1, two), o.record(2, three))
			o.process(w, o.record(0, one))
			o.process(w, o.record(2, three))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOutside(t)
			c.later(o, o.deliver().Worker(schemas.TopicMessages, 0))
			if got := o.seqs(one, two, three); !slices.Equal(got, []int64{1, 2, 3}) {
				t.Errorf("numbers %v, want 1, 2, 3", got)
			}
		})
	}
}

// deliverAgain is a worker of another process with the same surroundings.
func (o *outside) deliverAgain() kafka.Worker {
	return New(Config{
		Store: o, Owners: o, Sender: o, DeadLetters: o, Publisher: o, Decoder: o, Logger: slog.New(slog.DiscardHandler),
		RetryFirst: time.Microsecond, RetryMax: time.Millisecond, Reads: 1,
	}).Worker(schemas.TopicMessages, 0)
}

func TestDuplicates(t *testing.T) {
	other := simID('c', 2)
	first := says(1, deal, ann, 7, "deal")
	anonymous := says(2, deal, ann, 0, "deal")
	stranger := anonymous
	stranger.ConversationID = other
	changed := anonymous
	changed.Text = "no deal"
	for _, c := range []struct {
		name      string
		batch     []chat.Message // from offset 10 on
		want      []int64        // numbers of the batch's messages in the end
		dropped   float64
		conflicts int
	}{
		{name: "a retry in the batch", batch: []chat.Message{first, first}, want: []int64{1, 1}, dropped: 1},
		{name: "another body in the batch", batch: []chat.Message{first, says(1, deal, ann, 7, "no deal")}, want: []int64{1, 1}, dropped: 1, conflicts: 1},
		{name: "somebody else's client id", batch: []chat.Message{first, says(1, deal, bob, 7, "no deal")}, want: []int64{1, 2}},
		{name: "the same client id elsewhere", batch: []chat.Message{first, says(1, other, ann, 7, "deal")}, want: []int64{1, 1}},
		{name: "another body without a client id", batch: []chat.Message{anonymous, changed}, want: []int64{1, 1}, dropped: 1},
		{name: "the same id in another conversation", batch: []chat.Message{anonymous, stranger}, want: []int64{1, 1}},
	} {
		for _, stored := range []bool{false, true} {
			name := c.name
			if stored {
				name += ", the first one stored before"
			}
			t.Run(name, func(t *testing.T) {
				o := newOutside(t)
				o.byUser[ann.UserID] = []string{"g1"}
				var batch []kafka.Record
				for i, m := range c.batch {
					batch = append(batch, o.record(int64(10+i), m))
				}
				w := o.deliver().Worker(schemas.TopicMessages, 0)
				if stored {
					o.process(o.deliverAgain(), batch[0])
					o.process(w, batch[1:]...)
				} else {
					o.process(w, batch...)
				}
				if got := o.seqs(c.batch...); !slices.Equal(got, c.want) {
					t.Errorf("numbers %v, want %v", got, c.want)
				}
				if got := o.count("dozaar_deliver_duplicates_total", ""); got != c.dropped {
					t.Errorf("%v dropped, want %v", got, c.dropped)
				}
				history, _ := o.Messages(t.Context(), deal, 0, 1)
				if history[0].Text != c.batch[0].Text {
					t.Errorf("the first body does not stand: %q", history[0].Text)
				}
				var conflicts []relay.Addressed
				for _, a := range o.sent {
					if a.Envelope.Conflict != nil {
						conflicts = append(conflicts, a)
					}
				}
				if len(conflicts) != c.conflicts || o.count("dozaar_deliver_conflicts_total", "") != float64(c.conflicts) {
					t.Fatalf("conflicts %v, want %d", conflicts, c.conflicts)
				}
				want := relay.Addressed{Gateway: "g1", Envelope: relay.Envelope{Conflict: &relay.Conflict{
					UserID: ann.UserID, ConversationID: deal, ClientMessageID: first.ClientMessageID,
				}}}
				if c.conflicts == 1 && !reflect.DeepEqual(conflicts[0], want) {
					t.Errorf("conflict %+v, want %+v", conflicts[0], want)
				}
			})
		}
	}
}

// What is delivered again is itself, and what somebody ahead has stored does not make it a duplicate.
func TestARecordIsNoDuplicateOfItself(t *testing.T) {
	o := newOutside(t)
	batch := []kafka.Record{o.record(3, says(1, deal, ann, 7, "deal")), o.record(4, says(2, deal, bob, 0, "done"))}
	o.byConversation[deal] = []string{"g1"}
	o.process(o.deliver().Worker(schemas.TopicMessages, 0), batch...)
	first := slices.Clone(o.sent)
	o.process(o.deliverAgain(), batch...)
	if !reflect.DeepEqual(o.sent, append(first, first...)) {
		t.Errorf("told %v, want what was told the first time, again", o.sent[len(first):])
	}
	if o.count("dozaar_deliver_duplicates_total", "") != 0 {
		t.Error("something was dropped")
	}
}

// While the store is away nothing is shown and nothing is lost.
func TestTheStoreIsWaitedFor(t *testing.T) {
	o := newOutside(t)
	o.converse(deal, ann, bob)
	o.byConversation[deal] = []string{"g1"}
	storing := []string{"StoredByID", "Heads", "PutMessages", "PutReadMarks 1", "PutHeads", "PutInboxes", "Conversation"}
	for _, call := range append(storing, "DecodeMessage") {
		o.failures[call] = 5
	}
	o.onCall = func(call string) {
		if heads, _ := o.Memory.Heads(t.Context(), []chat.ID{deal}); call == "Owners" && heads[deal].Seq != 1 {
			t.Error("owners are looked up before the message is stored")
		}
	}
	m := says(1, deal, ann, 0, "hello")
	o.process(o.deliver().Worker(schemas.TopicMessages, 0), o.record(0, m))
	if got := o.seqs(m); got[0] != 1 || len(o.sent) != 1 {
		t.Errorf("number %d, told %d times", got[0], len(o.sent))
	}
	if want := 5.0 * 8; o.count("dozaar_deliver_step_seconds", "error") != want {
		t.Errorf("%v failed attempts, want %v", o.count("dozaar_deliver_step_seconds", "error"), want)
	}
}

func TestAWorkerEndsWithItsContextWhereverItIs(t *testing.T) {
	for _, call := range []string{
		"StoredByID", "Heads", "LastBefore", "PutMessages", "PutReadMarks 1", "PutHeads", "PutInboxes", "Conversation", "Owners", "Send", "DeadLetter",
	} {
		t.Run(call, func(t *testing.T) {
			o := newOutside(t)
			o.converse(deal, ann, bob)
			o.byConversation[deal] = []string{"g1"}
			batch := []kafka.Record{o.record(0, says(1, deal, ann, 0, "hello"))}
			o.process(o.deliverAgain(), batch...) // so that the head is not below
			if call == "DeadLetter" {
				batch[0].Value = nil
			}
			o.failures[call] = -1
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			o.calls, o.sent = nil, nil
			o.onCall = func(now string) {
				if now == call {
					cancel()
				}
			}
			from := assign(func() {}, batch)
			err := o.deliver().Worker(schemas.TopicMessages, 0).Run(ctx, from)
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("error %v, want that of the context", err)
			}
			if len(from.done) > 0 {
				t.Error("the record is done")
			}
			for _, later := range o.calls[slices.Index(o.calls, call):] {
				if call != "DeadLetter" && stage[later] > stage[call] || call == "Heads" && later == "LastBefore" || call == "Owners" && later == "Send" {
					t.Errorf("after %s it went on to %s", call, later)
				}
			}
		})
	}
}

// A record in a partition that is not its key's has a position that says nothing about its conversation's others.
func TestARecordInAForeignPartitionIsRefused(t *testing.T) {
	o := newOutside(t)
	o.converse(deal, ann, bob)
	d := o.deliver()
	d.PartitionOf = func(string, []byte) int32 { return 3 }
	stray, ours := o.record(0, says(1, deal, ann, 0, "stray")), o.record(1, says(2, deal, ann, 0, "ours"))
	stray.Partition, ours.Partition = 4, 3
	o.process(d.Worker(schemas.TopicMessages, 4), stray)
	o.process(d.Worker(schemas.TopicMessages, 3), ours)
	if got := o.seqs(says(2, deal, ann, 0, "ours")); got[0] != 1 {
		t.Errorf("number %d, want 1", got[0])
	}
	if len(o.buried) != 1 || o.buried[0].record.Partition != 4 {
		t.Errorf("buried %+v", o.buried)
	}
}

func TestRedisIsNotWaitedForLong(t *testing.T) {
	for _, call := range []string{"Owners", "Send"} {
		t.Run(call, func(t *testing.T) {
			o := newOutside(t)
			o.converse(deal, ann, bob)
			o.byConversation[deal] = []string{"g1"}
			w := o.deliver().Worker(schemas.TopicMessages, 0)
			o.failures[call] = 3
			o.process(w, o.record(0, says(1, deal, ann, 0, "a short absence")))
			if len(o.sent) != 1 || o.count("dozaar_deliver_rebroadcast_failures_total", "") != 0 {
				t.Fatalf("told %d times: a short absence is waited for", len(o.sent))
			}
			o.failures[call] = -1
			lost := says(2, deal, ann, 0, "a long one")
			o.process(w, o.record(1, lost))
			if got := o.seqs(lost); got[0] != 2 {
				t.Errorf("number %d, want 2", got[0])
			}
			if got := o.count("dozaar_deliver_rebroadcast_failures_total", schemas.TopicMessages); got != 1 {
				t.Errorf("%v given up, want 1", got)
			}
			if o.lost != 1 {
				t.Errorf("the gateways were made to notice %d times, want 1", o.lost)
			}
		})
	}
}

func TestEnvelopes(t *testing.T) {
	m := says(1, deal, ann, 0, "hello")
	m.Seq = 4
	to := membership{users: []chat.ID{ann.UserID, bob.UserID, cyd.UserID}, revision: 9}
	for _, c := range []struct {
		name   string
		to     membership
		owners owners
		want   string // gateway: who is notified there
	}{
		{"nobody is there", to, owners{}, ""},
		{"the room, and nobody else", to, owners{byConversation: map[chat.ID][]string{deal: {"g1", "g2"}}}, "g1: g2:"},
		{"members by their leases", to, owners{byUser: map[chat.ID][]string{bob.UserID: {"g1", "g2"}, cyd.UserID: {"g2"}}}, "g1:bob g2:bob,cyd"},
		{"the sender is not notified", to, owners{byUser: map[chat.ID][]string{ann.UserID: {"g1"}, cyd.UserID: {"g2"}}}, "g2:cyd"},
		{"each gateway once", to, owners{
			byConversation: map[chat.ID][]string{deal: {"g1"}},
			byUser:         map[chat.ID][]string{ann.UserID: {"g1"}, bob.UserID: {"g1", "g2"}},
		}, "g1:bob g2:bob"},
		{"strangers are not told", membership{}, owners{byUser: map[chat.ID][]string{bob.UserID: {"g1"}}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, a := range messageEnvelopes(m, "", c.to, c.owners) {
				told := a.Envelope.Message
				if !reflect.DeepEqual(told.Message, m) || told.Revision != c.to.revision {
					t.Errorf("told %+v", told)
				}
				got = append(got, a.Gateway+":"+strings.Join(names(told.Notify), ","))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("envelopes %q, want %q", got, c.want)
			}
		})
	}
}

func names(users []chat.ID) (names []string) {
	for _, u := range users {
		for _, m := range []chat.Member{ann, bob, cyd} {
			if m.UserID == u {
				names = append(names, m.Username)
			}
		}
	}
	return names
}

func TestThereIsNoWorkerForAnotherTopic(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a worker for a topic that nobody can deliver")
		}
	}()
	newOutside(t).deliver().Worker(schemas.TopicDeadLetter, 0)
}
