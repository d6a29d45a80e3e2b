package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/embedded"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
)

// world is a set of engines on which roles run by themselves: embedded ones, but for the roles just addresses.
type world struct {
	t     *testing.T
	cfg   Config
	kafka *embedded.Kafka
	engines
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	w.cfg.Data.DataDir = t.TempDir()
	w.cfg.Process = ProcessConfig{AdminListen: "127.0.0.1:0", LogLevel: "info", LogFormat: "text", ShutdownTimeout: 20 * time.Second}
	w.cfg.Lease.PresenceTTL = time.Minute
	w.cfg.Topics.KafkaPartitions = 3
	w.group = "dozaar-deliver"
	w.startKafka("kafka", "")
	t.Cleanup(func() { w.kafka.Close() })
	r, err := embedded.StartRegistry(embedded.RegistryConfig{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	redis, err := embedded.StartRedis()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(redis.Close)
	w.registry, w.redis = r.URL(), []string{redis.Addr()}
	return w
}

func (w *world) startKafka(dir, listen string) {
	w.t.Helper()
	k, err := embedded.StartKafka(embedded.KafkaConfig{Dir: filepath.Join(w.cfg.Data.DataDir, dir), Listen: listen})
	if err != nil {
		w.t.Fatal(err)
	}
	w.kafka, w.brokers = k, []string{k.Addr()}
}

// loseLog puts an empty Kafka where the other one was: every topic and offset is gone.
func (w *world) loseLog(dir string) {
	w.t.Helper()
	address := w.kafka.Addr()
	w.kafka.Close()
	w.startKafka(dir, address)
}

func (w *world) deployment() deployment {
	log := slog.New(slog.DiscardHandler)
	return deployment{cfg: w.cfg, engines: w.engines, telling: telling{name: "test", log: log}, waiting: &waiting{log: log}}
}

func (w *world) everything() {
	w.t.Helper()
	if err := w.deployment().everything(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// role is a process of one role.
type role struct {
	*process
	cancel context.CancelFunc
	ended  chan error
}

func (w *world) start(name string) *role {
	w.t.Helper()
	p, err := newProcess(w.cfg, name, io.Discard, io.Discard)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &role{p, cancel, make(chan error, 2)}
	e := w.engines
	go func() {
		r.ended <- p.run(ctx, func(ctx context.Context) error { return p.roles(ctx, e) })
	}()
	w.t.Cleanup(func() {
		cancel()
		<-r.ended
	})
	return r
}

func (r *role) result(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.ended:
		r.ended <- err // for the cleanup
		return err
	case <-time.After(time.Minute):
		t.Fatal("the role does not end")
		return nil
	}
}

func (r *role) stop(t *testing.T) {
	t.Helper()
	r.cancel()
	if err := r.result(t); err != nil {
		t.Errorf("it ended with %v; want nil: it was told to stop", err)
	}
}

// publish is what a gateway would do, in order.
func (w *world) publish(messages ...chat.Message) {
	w.t.Helper()
	p, _ := w.producer()
	for _, m := range messages {
		if err := p.PublishMessage(w.t.Context(), m); err != nil {
			w.t.Fatal(err)
		}
	}
}

// history waits until a conversation has so many messages, and gives their texts in the order of their numbers.
func (w *world) history(conversation chat.ID, n int) string {
	w.t.Helper()
	s, err := w.cfg.openStore(w.t.Context(), nil, telling{name: "test", log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.Close()
	var texts []string
	for end := time.Now().Add(30 * time.Second); len(texts) < n && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		messages, err := s.Messages(w.t.Context(), conversation, 0, 100)
		if err != nil {
			w.t.Fatal(err)
		}
		texts = nil
		for i, m := range messages {
			if m.Seq != int64(i+1) {
				w.t.Fatalf("message %d has number %d", i, m.Seq)
			}
			texts = append(texts, m.Text)
		}
	}
	return strings.Join(texts, " ")
}

func (w *world) conversation() (chat.ID, chat.User) {
	w.t.Helper()
	s, err := w.cfg.openStore(w.t.Context(), nil, telling{name: "test", log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.Close()
	user := chat.User{ID: chat.NewID(), Username: "Bea"}
	c, _, err := s.CreateConversation(w.t.Context(), chat.Conversation{
		ID: chat.NewID(), Key: "test", Members: []chat.Member{{UserID: user.ID, Username: user.Username, Role: "buyer"}}, Revision: 1, CreatedAt: time.Now(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return c.ID, user
}

func topicCount(t *testing.T) int {
	t.Helper()
	all, err := schemas.Topics()
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestWhatIsMadeIsMadeOnce(t *testing.T) {
	w := newWorld(t)
	d := w.deployment()
	if _, err := d.checkTopics(t.Context()); !errors.Is(err, kafka.ErrTopics) {
		t.Errorf("before: %v", err)
	}
	if _, err := d.checkSchemas(t.Context()); !errors.Is(err, schemas.ErrNotRegistered) {
		t.Errorf("before: %v", err)
	}
	w.everything()
	first, err := d.checkTopics(t.Context())
	if err != nil || len(first) != topicCount(t) {
		t.Fatalf("%v, %v", first, err)
	}
	w.everything()
	second, err := d.checkTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range first {
		if s.TopicIdentity != second[i].TopicIdentity || s.was != s.TopicIdentity || !s.remembered || s.Partitions != 3 {
			t.Errorf("%+v, then %+v", s, second[i])
		}
	}
	if all, err := d.checkSchemas(t.Context()); err != nil || len(all) != len(schemas.Events()) {
		t.Errorf("%v, %v", all, err)
	}
	w.cfg.Topics.KafkaPartitions = 5
	if err := w.deployment().applyTopics(t.Context()); !errors.Is(err, kafka.ErrTopics) || !strings.Contains(err.Error(), "keys would move") {
		t.Errorf("with another number of partitions: %v", err)
	}
	w.cfg.Topics.KafkaPartitions = 0
	if err := w.deployment().applyTopics(t.Context()); err != nil {
		t.Errorf("with none given: %v", err)
	}
}

// Without what the commands make, a role ends at once, in one line that names the command, and makes nothing itself.
func TestARoleSaysWhichCommandToRun(t *testing.T) {
	w := newWorld(t)
	says := func(command string) {
		t.Helper()
		err := w.start(roleDeliver).result(t)
		if err == nil || !strings.Contains(err.Error(), command) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v; want one line with %q", err, command)
		}
	}
	says("dozaar schemas apply")
	says("dozaar schemas apply") // the role before made nothing
	if _, err := w.deployment().applySchemas(t.Context()); err != nil {
		t.Fatal(err)
	}
	says("dozaar topics apply")
	says("dozaar topics apply")
	w.everything()
	deliver := w.start(roleDeliver)
	ready(t, deliver)
	deliver.stop(t)
}

// The store is thrown away while the log goes on: what was consumed would be in nobody's history.
func TestAnEmptyStoreOnAConsumedLogIsRefused(t *testing.T) {
	w := newWorld(t)
	w.everything()
	conversation, user := w.conversation()
	w.publish(draft("a").New(conversation, user, time.Now()))
	deliver := w.start(roleDeliver)
	w.history(conversation, 1)
	w.caughtUp()
	deliver.stop(t)
	w.cfg.Data.DataDir = t.TempDir()
	if err := w.deployment().applyTopics(t.Context()); !errors.Is(err, kafka.ErrTopics) || !strings.Contains(err.Error(), "the store is empty") {
		t.Errorf("%v; want a refusal", err)
	}
	if err := w.start(roleDeliver).result(t); err == nil || !strings.Contains(err.Error(), "does not know topic") {
		t.Errorf("%v; want a refusal", err)
	}
}

func draft(text string) chat.Draft { return chat.Draft{Text: text, ClientMessageID: chat.NewID()} }

func ready(t *testing.T, r *role) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		status := r.health.Status(t.Context())
		if status.Ready {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not ready: %+v", status)
		}
	}
}
