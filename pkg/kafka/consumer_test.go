package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestConsume(t *testing.T) {
	l := newLog(t, 2)
	p := l.producer(nil)
	s := newSeen(t)
	r := l.consume(s.worker, func(c *kafka.ConsumerConfig) { c.Epoch = func(string) int32 { return 5 } })
	conversation := conversationIn(1, 2)
	for i := range 20 {
		if err := p.PublishMessage(t.Context(), message(conversation, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "20 messages", func() bool { return s.count() == 20 })
	for i, record := range s.records() {
		if record.Topic != schemas.TopicMessages || record.Partition != 1 || record.Position != (chat.Position{Epoch: 5, Offset: int64(i)}) {
			t.Fatalf("record %d is at %s/%d %+v", i, record.Topic, record.Partition, record.Position)
		}
		if kind, _ := record.Header("ce_type"); kind != "dozaar.message.sent" || string(record.Key) != conversation.String() || record.Time.IsZero() {
			t.Fatalf("record %d has key %q, type %q, time %s", i, record.Key, kind, record.Time)
		}
	}
	eventually(t, "what is done is committed", func() bool { return l.committed()[1] == 20 })
	eventually(t, "no lag", func() bool {
		return l.value("dozaar_kafka_consumer_lag_records", map[string]string{"group": group, "partition": "1"}) == 0
	})
	r.stop(t)
	if got := l.value("dozaar_kafka_processed_records_total", map[string]string{"group": group}); got != 20 {
		t.Errorf("processed records: %v; want 20", got)
	}
	if got := l.value("dozaar_kafka_rebalanced_partitions_total", map[string]string{"event": "revoked"}); got != 2 {
		t.Errorf("revoked partitions: %v; want 2", got)
	}
}

// After a stop the next consumer begins exactly where the last one ended.
func TestResumesAtCommit(t *testing.T) {
	l := newLog(t, 3)
	p := l.producer(nil)
	conversation := chat.NewID()
	first := newSeen(t)
	r := l.consume(first.worker, func(c *kafka.ConsumerConfig) { c.CommitInterval = time.Hour }) // only the stop commits
	publish(t, p, conversation, "first", 50)
	eventually(t, "the first messages", func() bool { return first.count() == 50 })
	r.stop(t)
	publish(t, p, conversation, "second", 50)
	second := newSeen(t)
	l.consume(second.worker, nil)
	eventually(t, "the second messages", func() bool { return second.count() == 50 })
	for text := range second.texts {
		if !strings.HasPrefix(text, "second") {
			t.Errorf("%q was delivered again, though it was done and the consumer had stopped cleanly", text)
		}
	}
}

// A worker that is in the middle of records when it is stopped gets them again, whole.
func TestUnfinishedIsRedelivered(t *testing.T) {
	l := newLog(t, 1)
	p := l.producer(nil)
	started := make(chan struct{}, 1)
	r := l.consume(func(string, int32) kafka.Worker {
		return kafka.InOrder(func(ctx context.Context, _ []kafka.Record) error {
			started <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		})
	}, nil)
	publish(t, p, chat.NewID(), "m", 10)
	<-started
	r.stop(t)
	if at := l.committed()[0]; at != 0 {
		t.Errorf("committed %d; want 0: nothing was done", at)
	}
	s := newSeen(t)
	l.consume(s.worker, nil)
	eventually(t, "all messages", func() bool { return s.count() == 10 })
}

// Members come and go while messages flow: every message is processed, in order within a conversation,
// and never by two workers of one partition at once.
func TestRebalance(t *testing.T) {
	const partitions, conversations, each = 6, 12, 120
	l := newLog(t, partitions)
	p := l.producer(nil)
	var mu sync.Mutex
	next := make(map[string]int) // by conversation: the number that has to come next; lower ones are redelivered
	busy := make(map[int32]bool)
	codec := newCodec(t)
	newWorker := func(_ string, partition int32) kafka.Worker {
		return kafka.InOrder(func(_ context.Context, records []kafka.Record) error {
			mu.Lock()
			if busy[partition] {
				t.Errorf("two workers of partition %d at once", partition)
			}
			busy[partition] = true
			mu.Unlock()
			time.Sleep(2 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			busy[partition] = false
			for _, r := range records {
				m, err := codec.DecodeMessage(r.Value)
				if err != nil {
					return err
				}
				var n int
				if _, err := fmt.Sscan(m.Text, &n); err != nil {
					return err
				}
				if key := string(r.Key); n > next[key] {
					t.Errorf("conversation %s: message %d came when %d was next", key, n, next[key])
				} else if n == next[key] {
					next[key]++
				}
			}
			return nil
		})
	}
	small := func(c *kafka.ConsumerConfig) { c.MaxBatch = 7 }

	var sending sync.WaitGroup
	for range conversations {
		conversation := chat.NewID()
		sending.Go(func() {
			for i := range each {
				if err := p.PublishMessage(t.Context(), message(conversation, fmt.Sprint(i))); err != nil {
					t.Errorf("publish: %v", err)
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	processed := func() (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, m := range next {
			n += m
		}
		return n
	}
	one := l.consume(newWorker, small)
	eventually(t, "the first member works", func() bool { return processed() > conversations })
	two := l.consume(newWorker, small)
	at := processed()
	eventually(t, "both work", func() bool { return processed() > at+200 })
	one.stop(t)
	three := l.consume(newWorker, small)
	sending.Wait()
	eventually(t, "every message is processed", func() bool { return processed() == conversations*each })
	two.stop(t)
	three.stop(t)
	total := int64(0)
	for _, offset := range l.committed() {
		total += offset
	}
	if total != conversations*each {
		t.Errorf("committed offsets add up to %d; want %d", total, conversations*each)
	}
}

// One partition whose worker is stuck holds up no other one, and its queue is bounded.
func TestSlowPartition(t *testing.T) {
	l := newLog(t, 2)
	p := l.producer(nil)
	release := make(chan struct{})
	var stuck atomic.Int64
	s := newSeen(t)
	l.consume(func(_ string, partition int32) kafka.Worker {
		if partition == 1 {
			return s.worker("", 1)
		}
		return kafka.InOrder(func(ctx context.Context, records []kafka.Record) error {
			select {
			case <-release:
			case <-ctx.Done():
				return ctx.Err()
			}
			stuck.Add(int64(len(records)))
			return nil
		})
	}, func(c *kafka.ConsumerConfig) { c.MaxHeld, c.MaxBatch = 10, 5 })
	slow, quick := conversationIn(0, 2), conversationIn(1, 2)
	for i := range 4 {
		publish(t, p, slow, fmt.Sprint("slow ", i), 1500)
		publish(t, p, quick, fmt.Sprint("quick ", i), 50)
		eventually(t, "the other partition goes on", func() bool { return s.count() == (i+1)*50 })
	}
	eventually(t, "the lag of the stuck partition shows", func() bool {
		return l.value("dozaar_kafka_consumer_lag_records", map[string]string{"partition": "0"}) == 6000
	})
	close(release)
	eventually(t, "the stuck partition catches up", func() bool { return stuck.Load() == 6000 })
	eventually(t, "it is committed", func() bool { return l.committed()[0] == 6000 })
}

func TestWorkerBreaksItsContract(t *testing.T) {
	l := newLog(t, 1)
	publish(t, l.producer(nil), chat.NewID(), "m", 3)
	wrong := errors.New("gave up")
	r := l.consume(func(string, int32) kafka.Worker {
		return kafka.InOrder(func(context.Context, []kafka.Record) error { return wrong })
	}, nil)
	if err := r.result(t); !errors.Is(err, wrong) {
		t.Errorf("Run ended with %v; want the worker's error", err)
	}
	if at := l.committed()[0]; at != 0 {
		t.Errorf("committed %d; want 0", at)
	}
}

// setOffset puts the group somewhere, as a mistake or a restored cluster would.
func (l *log) setOffset(offset int64) {
	l.t.Helper()
	var o kadm.Offsets
	o.AddOffset(schemas.TopicMessages, 0, offset, -1)
	if err := l.admin().CommitAllOffsets(l.t.Context(), group, o); err != nil {
		l.t.Fatal(err)
	}
}

func (l *log) deleteTo(offset int64) {
	l.t.Helper()
	var o kadm.Offsets
	o.AddOffset(schemas.TopicMessages, 0, offset, -1)
	if answer, err := l.admin().DeleteRecords(l.t.Context(), o); err != nil || answer.Error() != nil {
		l.t.Fatal(err, answer.Error())
	}
}

func TestOffsetOutOfLog(t *testing.T) {
	for _, c := range []struct {
		name    string
		arrange func(*log)
		says    []string
	}{
		{"below the start", func(l *log) { l.deleteTo(5) }, []string{"is at offset 0", "starts at 5", "nothing was reset"}},
		{"above the end", func(l *log) { l.setOffset(11) }, []string{"is at offset 11", "ends at 10", "dozaar topics adopt"}},
		{"never committed", func(l *log) {
			if _, err := l.admin().DeleteGroup(l.t.Context(), group); err != nil {
				l.t.Fatal(err)
			}
		}, []string{"never committed", "dozaar topics apply"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLog(t, 1)
			publish(t, l.producer(nil), chat.NewID(), "m", 10)
			c.arrange(l)
			s := newSeen(t)
			err := l.consume(s.worker, nil).result(t)
			if !errors.Is(err, kafka.ErrOffsetOutOfLog) {
				t.Fatalf("Run ended with %v; want ErrOffsetOutOfLog", err)
			}
			for _, want := range append(c.says, "chat.messages partition 0") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
			if s.count() != 0 {
				t.Errorf("%d messages were processed", s.count())
			}
			if got := l.value("dozaar_kafka_offsets_out_of_log_total", map[string]string{"group": group}); got != 1 {
				t.Errorf("offsets out of log: %v; want 1", got)
			}
		})
	}
}

// Both ends of the log are fine places to be.
func TestOffsetAtTheEdges(t *testing.T) {
	l := newLog(t, 1)
	p := l.producer(nil)
	publish(t, p, chat.NewID(), "m", 10)
	l.deleteTo(5)
	l.setOffset(5)
	s := newSeen(t)
	r := l.consume(s.worker, nil)
	eventually(t, "the records from the start", func() bool { return s.count() == 5 })
	r.stop(t)
	s = newSeen(t)
	l.consume(s.worker, nil)
	publish(t, p, chat.NewID(), "more", 3)
	eventually(t, "the records from the end", func() bool { return s.count() == 3 })
}

// Retention overtakes a consumer that is slow: it stops instead of skipping.
func TestOvertakenWhileConsuming(t *testing.T) {
	l := newLog(t, 1)
	p := l.producer(nil)
	release := make(chan struct{})
	var last atomic.Int64
	r := l.consume(func(string, int32) kafka.Worker {
		return kafka.InOrder(func(ctx context.Context, records []kafka.Record) error {
			select {
			case <-release:
			case <-ctx.Done():
				return ctx.Err()
			}
			last.Store(records[len(records)-1].Position.Offset)
			return nil
		})
	}, func(c *kafka.ConsumerConfig) { c.MaxHeld = 5 })
	conversation := chat.NewID()
	for i := range 5 {
		publish(t, p, conversation, fmt.Sprint(i), 1000)
	}
	time.Sleep(200 * time.Millisecond) // it has what it takes, and is paused
	l.deleteTo(4999)
	close(release)
	if err := r.result(t); !errors.Is(err, kafka.ErrOffsetOutOfLog) {
		t.Fatalf("Run ended with %v; want ErrOffsetOutOfLog", err)
	}
	if last.Load() == 4999 {
		t.Error("the consumer went on behind the gap")
	}
}

func TestTopicMadeAgain(t *testing.T) {
	l := newLog(t, 1)
	p := l.producer(nil)
	s := newSeen(t)
	r := l.consume(s.worker, nil)
	publish(t, p, chat.NewID(), "m", 3)
	eventually(t, "the first messages", func() bool { return s.count() == 3 })
	if _, err := l.admin().DeleteTopic(t.Context(), schemas.TopicMessages); err != nil {
		t.Fatal(err)
	}
	if _, err := kafka.EnsureTopics(t.Context(), kafka.TopicsConfig{Config: l.config, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	if err := r.result(t); err == nil || !strings.Contains(err.Error(), "made again") {
		t.Errorf("Run ended with %v; want that the topic was made again", err)
	}
}

// A consumer waits for a broker that is away, and stops in bounded time all the same.
func TestStopsWithoutABroker(t *testing.T) {
	l := &log{t: t, config: kafka.Config{Brokers: []string{freeAddress(t)}}}
	r := l.consume(newSeen(t).worker, func(c *kafka.ConsumerConfig) { c.SessionTimeout = time.Second })
	select {
	case err := <-r.ended:
		t.Fatalf("Run ended with %v; want it to wait", err)
	case <-time.After(500 * time.Millisecond):
	}
	start := time.Now()
	r.stop(t)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %s to stop", took)
	}
}

// The broker goes and comes back: the same consumer goes on where it was.
func TestBrokerRestarts(t *testing.T) {
	l := &log{t: t, config: kafka.Config{Brokers: []string{freeAddress(t)}}}
	dir, listen := t.TempDir(), l.config.Brokers[0]
	broker := startBroker(t, dir, listen)
	l.topics = kafka.TopicsConfig{Config: l.config, Partitions: 2, Groups: map[string][]string{group: {schemas.TopicMessages}}}
	if _, err := kafka.EnsureTopics(t.Context(), l.topics); err != nil {
		t.Fatal(err)
	}
	p := l.producer(nil)
	s := newSeen(t)
	l.consume(s.worker, nil)
	publish(t, p, chat.NewID(), "before", 50)
	eventually(t, "the messages from before", func() bool { return s.count() == 50 })
	broker.Close()
	time.Sleep(300 * time.Millisecond)
	broker = startBroker(t, dir, listen)
	t.Cleanup(func() { broker.Close() })
	publish(t, p, chat.NewID(), "after", 50)
	eventually(t, "the messages from after", func() bool { return s.count() == 100 })
}

// A member that the group has thrown out commits nothing: another one may be at work already.
func TestPartitionsLost(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	l := &log{t: t, metrics: prometheus.NewRegistry()}
	l.config = kafka.Config{Brokers: cluster.ListenAddrs(), Registerer: l.metrics}
	l.topics = kafka.TopicsConfig{Config: l.config, Partitions: 1, Groups: map[string][]string{group: {schemas.TopicMessages}}}
	if _, err := kafka.EnsureTopics(t.Context(), l.topics); err != nil {
		t.Fatal(err)
	}
	publish(t, l.producer(nil), chat.NewID(), "m", 10)
	var assignments atomic.Int32
	var again atomic.Int32
	l.consume(func(string, int32) kafka.Worker {
		assignment := assignments.Add(1)
		return kafka.InOrder(func(ctx context.Context, records []kafka.Record) error {
			if assignment > 1 {
				again.Add(int32(len(records)))
				return nil
			}
			cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID, TopLevel: true})
			<-ctx.Done()
			return nil // it got done after all, and must not be committed all the same
		})
	}, nil)
	eventually(t, "the records come again", func() bool { return again.Load() == 10 })
	if got := l.value("dozaar_kafka_rebalanced_partitions_total", map[string]string{"event": "lost"}); got != 1 {
		t.Errorf("lost partitions: %v; want 1", got)
	}
}
