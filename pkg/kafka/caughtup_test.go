package kafka_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
	"github.com/twmb/franz-go/pkg/kadm"
)

// Caught up is who has committed what was there when it was asked, whatever has come since.
func TestCaughtUp(t *testing.T) {
	l := newLog(t, 2)
	p := l.producer(nil)
	conversation := chat.NewID()
	publish := func() {
		t.Helper()
		if err := p.PublishMessage(t.Context(), message(conversation, "hello")); err != nil {
			t.Fatal(err)
		}
	}
	caught := func(within time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		return kafka.CaughtUp(ctx, l.config, "readers", schemas.TopicMessages)
	}
	if err := caught(5 * time.Second); err != nil {
		t.Errorf("with an empty topic: %v", err)
	}
	publish()
	if err := caught(time.Second); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a record that nobody has read: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- caught(20 * time.Second) }()
	time.Sleep(time.Second) // it has looked where the log ends
	publish()
	l.commit("readers", conversation, 1)
	if err := <-ended; err != nil {
		t.Errorf("after the commit: %v", err)
	}
	if err := caught(time.Second); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a second record: %v", err)
	}
}

// commit commits an offset of a conversation's partition.
func (l *log) commit(group string, conversation chat.ID, offset int64) {
	l.t.Helper()
	counts := map[string]int32{}
	for _, i := range l.identities {
		counts[i.Topic] = i.Partitions
	}
	at := kafka.Partitions(counts)(schemas.TopicMessages, []byte(conversation.String()))
	var offsets kadm.Offsets
	offsets.AddOffset(schemas.TopicMessages, at, offset, -1)
	if err := l.admin().CommitAllOffsets(l.t.Context(), group, offsets); err != nil {
		l.t.Fatal(err)
	}
}
