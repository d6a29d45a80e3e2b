package kafka_test

import (
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

// remembered is what a store would remember of the log.
func (l *log) remembered() map[string]chat.TopicIdentity {
	known := map[string]chat.TopicIdentity{}
	for _, i := range l.identities {
		known[i.Topic] = i
	}
	return known
}

func (l *log) remake(topic string, partitions int32) {
	l.t.Helper()
	admin := l.admin()
	if _, err := admin.DeleteTopic(l.t.Context(), topic); err != nil {
		l.t.Fatal(err)
	}
	if partitions > 0 {
		if _, err := admin.CreateTopic(l.t.Context(), partitions, 1, nil, topic); err != nil {
			l.t.Fatal(err)
		}
	}
}

func (l *log) extend(topic string, partitions int) {
	l.t.Helper()
	if _, err := l.admin().UpdatePartitions(l.t.Context(), partitions, topic); err != nil {
		l.t.Fatal(err)
	}
}

func TestALogThatIsNotTheStoresIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		arrange func(*log, map[string]chat.TopicIdentity)
		says    string // "": a role may start
		ensured bool   // EnsureTopics takes it
	}{
		"both belong together": {func(*log, map[string]chat.TopicIdentity) {}, "", true},
		"the topic was made again": {func(l *log, _ map[string]chat.TopicIdentity) { l.remake(schemas.TopicMessages, 3) },
			"is not the one that the store was filled from", false},
		"it was made again with fewer partitions": {func(l *log, _ map[string]chat.TopicIdentity) { l.remake(schemas.TopicMessages, 2) },
			"run `dozaar topics adopt`", false},
		"the partitions were raised": {func(l *log, _ map[string]chat.TopicIdentity) { l.extend(schemas.TopicMessages, 5) },
			"was given more partitions in place (it has 5 and had 3)", false},
		"the store does not know it": {func(_ *log, known map[string]chat.TopicIdentity) { delete(known, schemas.TopicReceipts) },
			"the store does not know topic chat.receipts; run `dozaar topics apply`", true},
		"it is missing": {func(l *log, _ map[string]chat.TopicIdentity) { l.remake(schemas.TopicMessages, 0) },
			"topic chat.messages was deleted", false},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t, 3)
			cfg := l.topics
			cfg.Partitions, cfg.Known = 0, l.remembered()
			c.arrange(l, cfg.Known)
			_, err := kafka.NeedTopics(t.Context(), cfg)
			if c.says == "" && err != nil || c.says != "" && (!errors.Is(err, kafka.ErrTopics) || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%v; want %q", err, c.says)
			}
			if err != nil && (strings.Contains(err.Error(), "\n") || errors.Is(err, chat.ErrUnavailable)) {
				t.Errorf("it should be one line, and nothing that passes: %v", err)
			}
			cfg.Partitions = 3
			if _, err := kafka.EnsureTopics(t.Context(), cfg); (err == nil) != c.ensured {
				t.Errorf("EnsureTopics: %v", err)
			}
		})
	}
}

// A topic that is to be adopted has one fault and one command: what its group has committed means nothing, and
// adopting sets it. EnsureTopics leaves it alone.
func TestOneCommandForATopicThatIsToBeAdopted(t *testing.T) {
	for name, arrange := range map[string]func(*log){
		"made again":      func(l *log) { l.remake(schemas.TopicMessages, 3) },
		"more partitions": func(l *log) { l.extend(schemas.TopicMessages, 5) },
		"restored, its first records gone": func(l *log) {
			l.remake(schemas.TopicMessages, 1)
			publish(l.t, l.producer(nil), chat.NewID(), "m", 6)
			l.deleteTo(1)
		},
		"made again, and the group is past its end": func(l *log) {
			l.remake(schemas.TopicMessages, 3)
			l.setOffset(9)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t, 3)
			arrange(l)
			before := l.committed()
			cfg := l.topics
			cfg.Partitions, cfg.Known = 0, l.remembered()
			if _, err := kafka.EnsureTopics(t.Context(), cfg); !errors.Is(err, kafka.ErrTopics) || !strings.Contains(err.Error(), "run `dozaar topics adopt`") {
				t.Errorf("EnsureTopics: %v", err)
			}
			if after := l.committed(); !maps.Equal(before, after) {
				t.Errorf("the group was moved from %v to %v", before, after)
			}
			_, err := kafka.CheckTopics(t.Context(), cfg)
			all, _ := errors.AsType[*kafka.TopicsError](err)
			if all == nil || len(all.Faults) != 1 || strings.Contains(err.Error(), "topics apply") || !strings.Contains(err.Error(), "run `dozaar topics adopt`") {
				t.Errorf("%v; want one fault, and to adopt", err)
			}
		})
	}
}

// A topic that is made anew gets as many partitions as the store remembers, unless it is told otherwise.
func TestRemadeTopicKeepsItsPartitions(t *testing.T) {
	l := newLog(t, 3)
	l.remake(schemas.TopicMessages, 0)
	cfg := l.topics
	cfg.Partitions, cfg.Known = 0, l.remembered()
	if _, err := kafka.EnsureTopics(t.Context(), cfg); !errors.Is(err, kafka.ErrTopics) {
		t.Fatalf("%v; want the refusal of another topic", err)
	}
	states, _ := kafka.CheckTopics(t.Context(), cfg)
	if states[0].Topic != schemas.TopicMessages || states[0].Partitions != 3 {
		t.Errorf("made %+v; want 3 partitions", states[0])
	}
}

// An operator may keep records for longer. Compaction would tear gaps.
func TestWhatARoleCanLiveWith(t *testing.T) {
	l := newLog(t, 1)
	set := func(key, value string) {
		if _, err := l.admin().AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: key, Value: &value}}, schemas.TopicMessages); err != nil {
			t.Fatal(err)
		}
	}
	set("retention.ms", "1234567890")
	set("max.message.bytes", "9000000")
	if _, err := kafka.NeedTopics(t.Context(), l.topics); err != nil {
		t.Errorf("longer retention: %v", err)
	}
	if _, err := kafka.CheckTopics(t.Context(), l.topics); !errors.Is(err, kafka.ErrTopics) {
		t.Errorf("the check says %v", err)
	}
	for key, value := range map[string]string{"max.message.bytes": "1000", "cleanup.policy": "compact"} {
		set(key, value)
		if _, err := kafka.NeedTopics(t.Context(), l.topics); !errors.Is(err, kafka.ErrTopics) || !strings.Contains(err.Error(), key) {
			t.Errorf("%s=%s: %v", key, value, err)
		}
		if _, err := kafka.EnsureTopics(t.Context(), l.topics); err != nil {
			t.Fatal(err)
		}
	}
}

func (l *log) restart(what kafka.Restart) (map[int32]int64, error) {
	what.Group, what.Topic = group, schemas.TopicMessages
	return kafka.RestartGroup(l.t.Context(), l.topics, what)
}

func TestRestartGroup(t *testing.T) {
	l := newLog(t, 2)
	was := l.remembered()[schemas.TopicMessages]
	s := newSeen(t)
	publish(t, l.producer(nil), chat.NewID(), "old", 5)
	r := l.consume(s.worker, nil)
	eventually(t, "the old messages", func() bool { return s.count() == 5 })
	if _, err := l.restart(kafka.Restart{Was: was}); !errors.Is(err, kafka.ErrGroupActive) || errors.Is(err, chat.ErrUnavailable) {
		t.Errorf("while a member reads: %v; want ErrGroupActive", err)
	}
	r.stop(t)
	l.remake(schemas.TopicMessages, 3)
	producer := l.producer(func(c *kafka.ProducerConfig) { c.Registerer = nil })
	publish(t, producer, chat.NewID(), "new", 7)
	for range 2 { // it may be repeated
		offsets, err := l.restart(kafka.Restart{Was: was})
		if err != nil || len(offsets) != 3 || offsets[0]+offsets[1]+offsets[2] != 0 {
			t.Errorf("%v, %v; want the start of each of 3 partitions", offsets, err)
		}
	}
	again := newSeen(t)
	l.consume(again.worker, nil)
	eventually(t, "the new messages", func() bool { return again.count() == 7 })
}

// In a log that was given more partitions the group stays where it is: what it has read is read.
func TestRestartGroupInALogThatGrew(t *testing.T) {
	l := newLog(t, 1)
	was := l.remembered()[schemas.TopicMessages]
	publish(t, l.producer(nil), chat.NewID(), "m", 6)
	l.setOffset(4)
	l.extend(schemas.TopicMessages, 3)
	if _, err := l.restart(kafka.Restart{Was: was}); !errors.Is(err, kafka.ErrUnread) || !strings.Contains(err.Error(), "2 in chat.messages") {
		t.Errorf("%v; want ErrUnread that says how many", err)
	}
	offsets, err := l.restart(kafka.Restart{Was: was, AcceptUnread: true})
	if err != nil || offsets[0] != 4 || offsets[1] != 0 || offsets[2] != 0 {
		t.Errorf("%v, %v; want 4, 0, 0", offsets, err)
	}
	l.setOffset(6)
	if offsets, err := l.restart(kafka.Restart{Was: was}); err != nil || offsets[0] != 6 {
		t.Errorf("when all is read: %v, %v", offsets, err)
	}
}

func TestLags(t *testing.T) {
	l := newLog(t, 1)
	publish(t, l.producer(nil), chat.NewID(), "m", 6)
	l.setOffset(4)
	lags, err := kafka.Lags(t.Context(), l.topics, group)
	if err != nil || len(lags) != 1 || lags[schemas.TopicMessages] != 2 {
		t.Errorf("%v, %v; want 2 of chat.messages", lags, err)
	}
}

// A process that only publishes has to be told that the topic is another one now.
func TestWatch(t *testing.T) {
	for name, c := range map[string]struct {
		arrange func(*log)
		says    string
	}{
		"deleted":         {func(l *log) { l.remake(schemas.TopicReceipts, 0) }, "topic chat.receipts was deleted"},
		"made again":      {func(l *log) { l.remake(schemas.TopicReceipts, 2) }, "dozaar topics adopt"},
		"more partitions": {func(l *log) { l.extend(schemas.TopicReceipts, 3) }, "(it has 3 and had 2)"},
		"compacted":       {func(l *log) { l.set(schemas.TopicReceipts, "cleanup.policy", "compact,delete") }, "topic chat.receipts is compacted"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t, 2)
			w, err := kafka.NewWatch(kafka.WatchConfig{Config: l.config, Topics: slices.Clone(l.identities), Interval: 20 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- w.Run(t.Context()) }()
			select {
			case err := <-ended:
				t.Fatalf("it ended with %v though nothing happened", err)
			case <-time.After(300 * time.Millisecond):
			}
			c.arrange(l)
			select {
			case err := <-ended:
				if !errors.Is(err, kafka.ErrTopics) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v; want %q", err, c.says)
				}
			case <-time.After(30 * time.Second):
				t.Error("it did not notice")
			}
		})
	}
}

// set changes a topic's configuration, as an operator would.
func (l *log) set(topic, key, value string) {
	l.t.Helper()
	answer, err := l.admin().AlterTopicConfigs(l.t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: key, Value: &value}}, topic)
	if err == nil {
		_, err = answer.On(topic, nil)
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

// Brokers that are away are no other topic.
func TestWatchWaitsForBrokers(t *testing.T) {
	l := newLog(t, 1)
	w, err := kafka.NewWatch(kafka.WatchConfig{Config: l.config, Topics: l.identities, Interval: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	l.broker.Close()
	time.Sleep(300 * time.Millisecond)
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v; want nil: it was told to stop", err)
	}
}

func TestProducerRefuses(t *testing.T) {
	l := newLog(t, 1)
	p := l.producer(nil)
	publish(t, p, chat.NewID(), "before", 1)
	why := errors.New("the topic is another one")
	p.Refuse(why)
	p.Refuse(errors.New("and another"))
	err := p.PublishMessage(t.Context(), chat.Message{ID: chat.NewID(), ConversationID: chat.NewID(), Text: "after", CreatedAt: time.Now()})
	if !errors.Is(err, chat.ErrUnavailable) || !errors.Is(err, why) {
		t.Errorf("%v; want unavailable, and why", err)
	}
}

func TestPing(t *testing.T) {
	l := newLog(t, 1)
	if err := kafka.Ping(t.Context(), l.config); err != nil {
		t.Error(err)
	}
	if err := kafka.Ping(t.Context(), kafka.Config{Brokers: []string{freeAddress(t)}}); !errors.Is(err, chat.ErrUnavailable) {
		t.Errorf("%v; want ErrUnavailable", err)
	}
	if err := kafka.Ping(t.Context(), kafka.Config{Brokers: l.config.Brokers, SASL: kafka.SASL{Mechanism: "NONE"}}); err == nil || errors.Is(err, chat.ErrUnavailable) {
		t.Errorf("an unknown mechanism: %v", err)
	}
}
