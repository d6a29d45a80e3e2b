package kafka_test

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
	"github.com/twmb/franz-go/pkg/kadm"
)

func TestEnsureTopics(t *testing.T) {
	l := newLog(t, 3)
	if all, err := schemas.Topics(); err != nil || len(l.identities) != len(all) {
		t.Fatalf("%d topics; want %d, %v", len(l.identities), len(all), err)
	}
	for _, i := range l.identities {
		if i.Partitions != 3 || i.ID == "" || i.Epoch != 0 {
			t.Errorf("identity %+v", i)
		}
	}
	configs, err := l.admin().DescribeTopicConfigs(t.Context(), schemas.TopicConversations)
	if err != nil {
		t.Fatal(err)
	}
	have := make(map[string]string)
	for _, c := range configs[0].Configs {
		have[c.Key] = c.MaybeValue()
	}
	for key, want := range map[string]string{"retention.ms": "604800000", "segment.ms": "86400000", "cleanup.policy": "delete", "max.message.bytes": "8388608", "min.insync.replicas": "1"} {
		if have[key] != want {
			t.Errorf("%s is %q; want %q", key, have[key], want)
		}
	}
	if at := l.committed(); len(at) != 3 || at[0] != 0 || at[1] != 0 || at[2] != 0 {
		t.Errorf("first committed offsets %v; want 0 in each partition", at)
	}

	again, err := kafka.EnsureTopics(t.Context(), l.topics)
	if err != nil || !slices.Equal(again, l.identities) {
		t.Errorf("the second time: %+v, %v; want the same as the first", again, err)
	}
	checked, err := kafka.CheckTopics(t.Context(), l.topics)
	if err != nil || len(checked) != len(l.identities) {
		t.Fatalf("checked: %+v, %v; want the same", checked, err)
	}
	kept := map[string]string{schemas.TopicDeadLetter: "720h0m0s", schemas.TopicErasures: "2160h0m0s"}
	for i, state := range checked {
		if state.TopicIdentity != l.identities[i] || state.Replication != 1 || state.Retention() != cmp.Or(kept[state.Topic], "168h0m0s") {
			t.Errorf("checked: %+v", state)
		}
	}
}

func TestEnsureKeepsCommittedOffsets(t *testing.T) {
	l := newLog(t, 1)
	publish(t, l.producer(nil), chat.NewID(), "m", 10)
	l.setOffset(7)
	if _, err := kafka.EnsureTopics(t.Context(), l.topics); err != nil {
		t.Fatal(err)
	}
	if at := l.committed()[0]; at != 7 {
		t.Errorf("the group was moved to %d", at)
	}
}

func TestCheckTopics(t *testing.T) {
	for _, c := range []struct {
		name    string
		arrange func(*log)
		says    string
		mended  bool // by EnsureTopics
	}{
		{"missing topic", func(l *log) {
			if _, err := l.admin().DeleteTopic(l.t.Context(), schemas.TopicReceipts); err != nil {
				l.t.Fatal(err)
			}
		}, "topic chat.receipts is missing; run `dozaar topics apply`", true},
		{"other partition count", func(l *log) { l.topics.Partitions = 5 }, "topic chat.messages has 3 partitions and should have 5; a number of partitions is never changed in place", false},
		{"other retention", func(l *log) {
			value := "1000"
			if _, err := l.admin().AlterTopicConfigs(l.t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &value}}, schemas.TopicMessages); err != nil {
				l.t.Fatal(err)
			}
		}, `topic chat.messages has retention.ms = "1000" and should have "604800000"; run ` + "`dozaar topics apply`", true},
		{"group without offsets", func(l *log) { l.topics.Groups["new"] = []string{schemas.TopicReceipts} },
			"group new has no committed offset in 3 partitions of chat.receipts; run `dozaar topics apply`", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLog(t, 3)
			c.arrange(l)
			_, err := kafka.CheckTopics(t.Context(), l.topics)
			if !errors.Is(err, kafka.ErrTopics) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; want ErrTopics that says %q", err, c.says)
			}
			_, err = kafka.EnsureTopics(t.Context(), l.topics)
			if (err == nil) != c.mended {
				t.Errorf("EnsureTopics: %v; mended should be %t", err, c.mended)
			}
			if _, err := kafka.CheckTopics(t.Context(), l.topics); (err == nil) != c.mended {
				t.Errorf("checked again: %v; mended should be %t", err, c.mended)
			}
		})
	}
}

// A group that is past the log's end says that the log was cut. It is refused before new records hide it.
func TestACutLogIsRefused(t *testing.T) {
	l := newLog(t, 1)
	publish(t, l.producer(nil), chat.NewID(), "m", 3)
	group := slices.Collect(maps.Keys(l.topics.Groups))[0]
	var offsets kadm.Offsets
	offsets.AddOffset(schemas.TopicMessages, 0, 9, -1)
	if err := l.admin().CommitAllOffsets(t.Context(), group, offsets); err != nil {
		t.Fatal(err)
	}
	if _, err := kafka.EnsureTopics(t.Context(), l.topics); !errors.Is(err, kafka.ErrOffsetOutOfLog) || !strings.Contains(err.Error(), "the log ends at 3") {
		t.Errorf("%v; want ErrOffsetOutOfLog that says where the log ends", err)
	}
	if consumed, err := kafka.Consumed(t.Context(), l.topics.Config, group); err != nil || !consumed[schemas.TopicMessages] || consumed[schemas.TopicReceipts] {
		t.Errorf("consumed: %v, %v", consumed, err)
	}
	if consumed, err := kafka.Consumed(t.Context(), l.topics.Config, "nobody"); err != nil || len(consumed) > 0 {
		t.Errorf("a group that is not there has consumed: %v, %v", consumed, err)
	}
}

// A group without an offset in a log that has lost its first records may have lost its offsets too.
func TestStartMissing(t *testing.T) {
	l := newLog(t, 1)
	publish(t, l.producer(nil), chat.NewID(), "m", 10)
	l.deleteTo(4)
	l.topics.Groups = map[string][]string{"late": {schemas.TopicMessages}}
	if _, err := kafka.EnsureTopics(t.Context(), l.topics); !errors.Is(err, kafka.ErrTopics) || !strings.Contains(err.Error(), "log starts at 4") {
		t.Errorf("%v; want ErrTopics that says where the log starts", err)
	}
	l.topics.StartMissing = true
	if _, err := kafka.EnsureTopics(t.Context(), l.topics); err != nil {
		t.Fatal(err)
	}
	offsets, err := l.admin().FetchOffsets(t.Context(), "late")
	if err != nil {
		t.Fatal(err)
	}
	if at, _ := offsets.Lookup(schemas.TopicMessages, 0); at.At != 4 {
		t.Errorf("the new group starts at %d; want the log's start, 4", at.At)
	}
}

func TestIdentityChangesWithTheTopic(t *testing.T) {
	l := newLog(t, 1)
	if _, err := l.admin().DeleteTopic(t.Context(), schemas.TopicMessages); err != nil {
		t.Fatal(err)
	}
	again, err := kafka.EnsureTopics(t.Context(), l.topics)
	if err != nil {
		t.Fatal(err)
	}
	if again[0].Topic != schemas.TopicMessages || again[0].ID == l.identities[0].ID || again[1].ID != l.identities[1].ID {
		t.Errorf("identities %+v, before %+v; want another id for the topic that was made again, and only for it", again, l.identities)
	}
}

func TestTopicsWithoutABroker(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := kafka.CheckTopics(ctx, kafka.TopicsConfig{Config: kafka.Config{Brokers: []string{freeAddress(t)}}})
	if !errors.Is(err, chat.ErrUnavailable) {
		t.Errorf("%v; want ErrUnavailable", err)
	}
}

// Processes that start together may all ensure the topics.
func TestEnsureTopicsTogether(t *testing.T) {
	broker := startBroker(t, t.TempDir(), "")
	t.Cleanup(func() { broker.Close() })
	cfg := kafka.TopicsConfig{Config: kafka.Config{Brokers: []string{broker.Addr()}}, Partitions: 4, Groups: map[string][]string{group: {schemas.TopicMessages}}}
	results := make(chan []chat.TopicIdentity, 4)
	for range 4 {
		go func() {
			identities, err := kafka.EnsureTopics(t.Context(), cfg)
			if err != nil {
				t.Error(err)
			}
			results <- identities
		}()
	}
	first := <-results
	for range 3 {
		if other := <-results; !slices.Equal(first, other) {
			t.Errorf("identities %+v and %+v", first, other)
		}
	}
}
