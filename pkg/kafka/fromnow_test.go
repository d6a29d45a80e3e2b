package kafka_test

import (
	"testing"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
)

// A group from now begins where the log ends and goes on there, also where nothing came before it was stopped; and takes
// what there is of a log that has lost records or has no such offset.
func TestFromNow(t *testing.T) {
	l := newLog(t, 1)
	p := l.producer(nil)
	publish(t, p, chat.NewID(), "old", 10)
	if _, err := l.admin().DeleteGroup(t.Context(), group); err != nil {
		t.Fatal(err)
	}
	admin := l.admin()
	committed := func() int64 {
		offsets, err := admin.FetchOffsets(t.Context(), group)
		at, ok := offsets.Lookup(schemas.TopicMessages, 0)
		if err != nil || !ok { // the group is not there yet
			return -1
		}
		return at.At
	}
	fromNow := func(c *kafka.ConsumerConfig) { c.FromNow = true }
	s := newSeen(t)
	r := l.consume(s.worker, fromNow)
	eventually(t, "where it begins is committed", func() bool { return committed() == 10 })
	r.stop(t)
	publish(t, p, chat.NewID(), "new", 3)
	r = l.consume(s.worker, fromNow)
	eventually(t, "what came since", func() bool { return s.count() == 3 })
	r.stop(t)

	publish(t, p, chat.NewID(), "gone", 5)
	l.deleteTo(16) // of 18
	r = l.consume(s.worker, fromNow)
	eventually(t, "what is left", func() bool { return s.count() == 5 })
	r.stop(t)
	l.setOffset(99)
	r = l.consume(s.worker, fromNow)
	eventually(t, "it is back in the log", func() bool { return committed() == 18 })
	r.stop(t)
	if s.count() != 5 {
		t.Errorf("%d records; want 5", s.count())
	}
}
