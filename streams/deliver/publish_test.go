package deliver

import (
	"context"
	"slices"
	"testing"
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
	records[2].Headers = []kafka.Header{{Key: kafka.HeaderTraceParent, Value: []byte("00-trace")}}
	o.process(o.deliver().Worker(schemas.TopicMessages, 0), records...)
	var got []int64
	for _, s := range o.published {
		got = append(got, s.Message.Seq)
	}
	if !slices.Equal(got, []int64{1, 2}) || o.published[0].Message.Text != "hello" || o.published[0].TraceParent != "" || o.published[1].TraceParent != "00-trace" {
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
