package kafka_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
	"github.com/twmb/franz-go/pkg/kadm"
)

// lastDone gives partition/offset of each.
func (l *log) lastDone() (places []string) {
	l.t.Helper()
	done, err := kafka.LastDone(l.t.Context(), kafka.Config{Brokers: l.config.Brokers}, group, schemas.TopicMessages)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, r := range done {
		places = append(places, fmt.Sprintf("%d/%d", r.Partition, r.Position.Offset))
	}
	slices.Sort(places)
	return places
}

func (l *log) setByHand(partition int32, offset int64) {
	l.t.Helper()
	if err := l.admin().CommitAllOffsets(l.t.Context(), group, offsets(partition, offset)); err != nil {
		l.t.Fatal(err)
	}
}

// What a member has committed was done; where somebody else has set an offset, nothing is known.
func TestLastDone(t *testing.T) {
	l := newLog(t, 3)
	if got := l.lastDone(); got != nil {
		t.Errorf("of a group that has done nothing: %v", got)
	}
	p, s := l.producer(nil), newSeen(t)
	publish(t, p, conversationIn(0, 3), "zero", 3)
	publish(t, p, conversationIn(1, 3), "one", 2)
	reader := l.consume(s.worker, nil)
	eventually(t, "all is committed", func() bool { at := l.committed(); return at[0] == 3 && at[1] == 2 })
	reader.stop(t)
	publish(t, p, conversationIn(0, 3), "unread", 1)
	publish(t, p, conversationIn(1, 3), "unread too", 1)
	if got := l.lastDone(); !slices.Equal(got, []string{"0/2", "1/1"}) {
		t.Errorf("done are 0/2 and 1/1, not %v", got)
	}
	if _, err := l.admin().DeleteRecords(t.Context(), offsets(1, 2)); err != nil {
		t.Fatal(err)
	}
	if got := l.lastDone(); !slices.Equal(got, []string{"0/2"}) {
		t.Errorf("of partition 1 nothing that was done is kept, %v", got)
	}
	l.setByHand(0, 2)
	if got := l.lastDone(); got != nil {
		t.Errorf("the offset was set by hand: %v", got)
	}
}

func offsets(partition int32, at int64) (o kadm.Offsets) {
	o.AddOffset(schemas.TopicMessages, partition, at, -1)
	return o
}

// A group goes back to a time and never forward; not while somebody is in it, nor beyond what the log keeps unless that is wanted.
func TestRewindGroup(t *testing.T) {
	l := newLog(t, 2)
	p, s := l.producer(nil), newSeen(t)
	rewind := func(to time.Time, accept bool) ([]kafka.Rewound, error) {
		cfg := l.topics
		cfg.Config = kafka.Config{Brokers: l.config.Brokers}
		return kafka.RewindGroup(t.Context(), cfg, kafka.Rewind{Group: group, To: to, AcceptUnread: accept})
	}
	publish(t, p, conversationIn(0, 2), "before", 2)
	time.Sleep(10 * time.Millisecond) // a record's time has milliseconds
	to := time.Now()
	publish(t, p, conversationIn(0, 2), "after", 3)
	publish(t, p, conversationIn(1, 2), "after too", 1)
	reader := l.consume(s.worker, nil)
	eventually(t, "all is committed", func() bool { at := l.committed(); return at[0] == 5 && at[1] == 1 })
	if _, err := rewind(to, false); !errors.Is(err, kafka.ErrGroupActive) {
		t.Errorf("while somebody reads: %v; want ErrGroupActive", err)
	}
	reader.stop(t)

	for _, again := range []int64{4, 0} {
		got, err := rewind(to, false)
		if err != nil || len(got) != 1 || got[0] != (kafka.Rewound{Topic: schemas.TopicMessages, Again: again}) {
			t.Errorf("%+v, %v; want %d records again", got, err, again)
		}
	}
	l.setByHand(0, 1)
	if _, err := rewind(to, false); err != nil {
		t.Error(err)
	}
	if at := l.committed(); at[0] != 1 || at[1] != 0 {
		t.Errorf("the group is at %v; it must not go forward to 2", at)
	}

	if _, err := l.admin().DeleteRecords(t.Context(), offsets(0, 1)); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-10 * 365 * 24 * time.Hour)
	if _, err := rewind(long, false); !errors.Is(err, kafka.ErrUnread) {
		t.Errorf("beyond what is kept: %v; want ErrUnread", err)
	}
	if _, err := rewind(long, true); err != nil {
		t.Error(err)
	}
}
