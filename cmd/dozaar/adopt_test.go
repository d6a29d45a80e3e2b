package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
)

// The log is lost and made again. Nothing runs on it before it is adopted; then numbering goes on after what is
// stored, and a client that tries an old message again is recognised.
func TestAdopt(t *testing.T) {
	w := newWorld(t)
	w.everything()
	d := w.deployment()
	if _, err := d.adoptTopics(t.Context(), nil, false); err == nil || !strings.Contains(err.Error(), "nothing to adopt") {
		t.Errorf("before anything happened: %v", err)
	}
	conversation, user := w.conversation()
	old := draft("b").New(conversation, user, time.Now())
	w.publish(draft("a").New(conversation, user, time.Now()), old, draft("c").New(conversation, user, time.Now()))
	deliver := w.start(roleDeliver)
	if got := w.history(conversation, 3); got != "a b c" {
		t.Fatalf("history %q", got)
	}
	deliver.stop(t)

	w.loseLog("kafka2")
	refused := func(says string) {
		t.Helper()
		if err := w.start(roleDeliver).result(t); !errors.Is(err, kafka.ErrTopics) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v; want %q", err, says)
		}
	}
	refused("run `dozaar topics apply` and then `dozaar topics adopt`")
	if _, err := d.adoptTopics(t.Context(), []string{schemas.TopicMessages}, false); err == nil || !strings.Contains(err.Error(), "there is no topic") {
		t.Errorf("a topic that is not there: %v", err)
	}
	if err := d.applyTopics(t.Context()); !errors.Is(err, kafka.ErrTopics) || !strings.Contains(err.Error(), "dozaar topics adopt") {
		t.Errorf("apply: %v", err)
	}
	refused("run `dozaar topics adopt`")
	w.publish(old) // into the new log, where it is the first record

	d.cfg.Topics.KafkaPartitions = 7
	if _, err := d.adoptTopics(t.Context(), nil, false); err == nil || !strings.Contains(err.Error(), "DOZAAR_KAFKA_PARTITIONS is 7") {
		t.Errorf("against the configured number of partitions: %v", err)
	}
	d.cfg.Topics.KafkaPartitions = 0
	done, err := d.adoptTopics(t.Context(), []string{schemas.TopicMessages}, false)
	if err != nil || len(done) != 1 || done[0].is.Epoch != 1 || len(done[0].offsets) != 3 {
		t.Fatalf("%+v, %v", done, err)
	}
	refused("dozaar topics adopt") // the other topics
	if done, err := d.adoptTopics(t.Context(), nil, false); err != nil || len(done) != topicCount(t)-1 {
		t.Fatalf("%+v, %v", done, err)
	}
	if _, err := d.adoptTopics(t.Context(), nil, false); err == nil {
		t.Error("it was adopted twice")
	}
	states, err := d.checkTopics(t.Context())
	if err != nil || states[0].was.Epoch != 1 {
		t.Errorf("%+v, %v", states, err)
	}

	deliver = w.start(roleDeliver)
	w.publish(draft("d").New(conversation, user, time.Now()), old, draft("e").New(conversation, user, time.Now()))
	if got := w.history(conversation, 5); got != "a b c d e" {
		t.Errorf("history %q; want the old messages, then the new ones, none twice", got)
	}
	if _, err := d.adoptTopics(t.Context(), []string{schemas.TopicMessages}, false); err == nil || !strings.Contains(err.Error(), "nothing to adopt") {
		t.Errorf("while all is well: %v", err)
	}

	// The log is lost under a deliver that runs: it ends by itself, and says what to run.
	w.loseLog("kafka3")
	if err := deliver.result(t); err == nil || !strings.Contains(err.Error(), "run `dozaar topics") {
		t.Errorf("the log was lost while it ran: %v", err)
	}
}

// member has somebody be in the group, until it is called.
func (w *world) member() (leave func()) {
	w.t.Helper()
	c, err := kafka.NewConsumer(kafka.ConsumerConfig{
		Config: kafka.Config{Brokers: w.brokers}, Group: w.group, Topics: []string{schemas.TopicReceipts},
	}, func(string, int32) kafka.Worker {
		return kafka.InOrder(func(context.Context, []kafka.Record) error { return nil })
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	cfg, err := w.deployment().topics(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); kafka.GroupIdle(w.t.Context(), cfg, w.group) == nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatal("nobody joined the group")
		}
	}
	return func() {
		cancel()
		<-ended
	}
}

// A gateway only publishes: that its topic is gone it has to look for.
func TestAGatewayNoticesThatItsTopicIsGone(t *testing.T) {
	w := newWorld(t)
	partitions, data, process := w.cfg.Topics, w.cfg.Data, w.cfg.Process
	w.cfg = parsed(t, "--dev", "--listen=127.0.0.1:0").Config
	w.cfg.Topics, w.cfg.Data, w.cfg.Process = partitions, data, process
	w.everything()
	gateway := w.start(roleGateway)
	ready(t, gateway)
	w.loseLog("kafka2")
	if err := gateway.result(t); !errors.Is(err, kafka.ErrTopics) || !strings.Contains(err.Error(), "run `dozaar topics apply` and then `dozaar topics adopt`") {
		t.Errorf("%v; want what to run", err)
	}
}

// A call that died between its two writes is repeated: the epoch is raised once.
func TestAdoptIsRepeatable(t *testing.T) {
	w := newWorld(t)
	w.everything()
	w.loseLog("kafka2")
	d := w.deployment()
	_ = d.applyTopics(t.Context()) // makes them, and refuses them
	known, err := d.checkTopics(t.Context())
	if !errors.Is(err, kafka.ErrTopics) {
		t.Fatal(err)
	}
	cfg, err := d.topics(nil)
	if err != nil {
		t.Fatal(err)
	}
	member := w.member()
	if _, err := d.adoptTopics(t.Context(), nil, false); !errors.Is(err, kafka.ErrGroupActive) {
		t.Errorf("while a deliver is in the group: %v; want ErrGroupActive", err)
	}
	if states, _ := d.checkTopics(t.Context()); states[0].was != known[0].was {
		t.Errorf("the store was written first: %+v", states[0].was)
	}
	member()
	// What the one that died has done:
	if _, err := kafka.RestartGroup(t.Context(), cfg, kafka.Restart{Group: w.group, Topic: schemas.TopicMessages, Was: known[0].was}); err != nil {
		t.Fatal(err)
	}
	if err := w.start(roleDeliver).result(t); !errors.Is(err, kafka.ErrTopics) {
		t.Errorf("in between: %v; want a refusal", err)
	}
	done, err := d.adoptTopics(t.Context(), nil, false)
	if err != nil || len(done) != topicCount(t) {
		t.Fatalf("%+v, %v", done, err)
	}
	for _, a := range done {
		if a.is.Epoch != 1 {
			t.Errorf("%+v; want epoch 1", a)
		}
	}
}
