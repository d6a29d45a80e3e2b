package kafka_test

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/embedded"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const group = "test"

// log is an embedded Kafka with the topics, in few partitions, and everything a test asks of it.
type log struct {
	t          *testing.T
	broker     *embedded.Kafka
	config     kafka.Config
	topics     kafka.TopicsConfig
	metrics    *prometheus.Registry
	identities []chat.TopicIdentity
}

func newLog(t *testing.T, partitions int32) *log {
	t.Helper()
	l := &log{t: t, metrics: prometheus.NewRegistry()}
	l.broker = startBroker(t, t.TempDir(), "")
	t.Cleanup(func() { l.broker.Close() })
	l.config = kafka.Config{Brokers: []string{l.broker.Addr()}, Registerer: l.metrics}
	l.topics = kafka.TopicsConfig{
		Config: l.config, Partitions: partitions,
		Groups: map[string][]string{group: {schemas.TopicMessages}},
	}
	identities, err := kafka.EnsureTopics(t.Context(), l.topics)
	if err != nil {
		t.Fatal(err)
	}
	l.identities = identities
	return l
}

func startBroker(t *testing.T, dir, listen string) *embedded.Kafka {
	t.Helper()
	k, err := embedded.StartKafka(embedded.KafkaConfig{Dir: dir, Listen: listen})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newCodec(t *testing.T) *schemas.Codec {
	t.Helper()
	codec, err := schemas.NewCodec(t.Context(), registryByOrder{})
	if err != nil {
		t.Fatal(err)
	}
	return codec
}

// registryByOrder has the events' schemas, numbered in their order.
type registryByOrder struct{}

func (registryByOrder) ID(_ context.Context, subject, _ string) (int, error) {
	i := slices.IndexFunc(schemas.Events(), func(e schemas.Event) bool { return e.Subject() == subject })
	return i + 1, nil
}

func (registryByOrder) Schema(context.Context, int) (string, error) {
	return "", schemas.ErrNotRegistered
}

func (l *log) producer(change func(*kafka.ProducerConfig)) *kafka.Producer {
	l.t.Helper()
	cfg := kafka.ProducerConfig{Config: l.config, Source: "/dozaar/test"}
	if change != nil {
		change(&cfg)
	}
	p, err := kafka.NewProducer(cfg, newCodec(l.t))
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = p.Close(ctx)
	})
	return p
}

// admin is a client of the broker for what the package itself does not offer.
func (l *log) admin() *kadm.Client {
	l.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(l.config.Brokers...))
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(client.Close)
	return kadm.NewClient(client)
}

func (l *log) committed() map[int32]int64 {
	l.t.Helper()
	offsets, err := l.admin().FetchOffsets(l.t.Context(), group)
	if err != nil {
		l.t.Fatal(err)
	}
	at := make(map[int32]int64)
	offsets.Each(func(o kadm.OffsetResponse) { at[o.Partition] = o.At })
	return at
}

// running is a consumer under test.
type running struct {
	cancel context.CancelFunc
	ended  chan error
}

func (r *running) stop(t *testing.T) {
	t.Helper()
	r.cancel()
	if err := r.result(t); err != nil {
		t.Errorf("the consumer ended with %v; want nil: it was told to stop", err)
	}
}

func (r *running) result(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.ended:
		r.ended <- err // for a second asker
		return err
	case <-time.After(30 * time.Second):
		t.Fatal("the consumer does not end")
		return nil
	}
}

func (l *log) consume(newWorker func(topic string, partition int32) kafka.Worker, change func(*kafka.ConsumerConfig)) *running {
	l.t.Helper()
	cfg := kafka.ConsumerConfig{
		Config: l.config, Group: group, Topics: []string{schemas.TopicMessages},
		CommitInterval: 50 * time.Millisecond, LagInterval: 50 * time.Millisecond, HeartbeatInterval: 100 * time.Millisecond,
	}
	if change != nil {
		change(&cfg)
	}
	c, err := kafka.NewConsumer(cfg, newWorker)
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{cancel: cancel, ended: make(chan error, 2)}
	go func() { r.ended <- c.Run(ctx) }()
	l.t.Cleanup(func() {
		cancel()
		<-r.ended
	})
	return r
}

// seen remembers what workers got.
type seen struct {
	codec *schemas.Codec
	mu    sync.Mutex
	all   []kafka.Record
	texts map[string]int
}

func newSeen(t *testing.T) *seen { return &seen{codec: newCodec(t), texts: make(map[string]int)} }

func (s *seen) worker(string, int32) kafka.Worker { return kafka.InOrder(s.process) }

func (s *seen) process(_ context.Context, records []kafka.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		m, err := s.codec.DecodeMessage(r.Value)
		if err != nil {
			return err
		}
		s.all = append(s.all, r)
		s.texts[m.Text]++
	}
	return nil
}

func (s *seen) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.texts)
}

func (s *seen) records() []kafka.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all)
}

func message(conversation chat.ID, text string) chat.Message {
	return chat.Draft{Text: text}.New(conversation, chat.User{ID: chat.NewID(), Username: "Ada"}, time.Now())
}

// conversationIn gives a conversation whose records go to a partition.
func conversationIn(partition int32, partitions int) chat.ID {
	p := kgo.StickyKeyPartitioner(nil).ForTopic("")
	for {
		id := chat.NewID()
		if p.Partition(&kgo.Record{Key: []byte(id.String())}, partitions) == int(partition) {
			return id
		}
	}
}

func publish(t *testing.T, p *kafka.Producer, conversation chat.ID, prefix string, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if err := p.PublishMessage(t.Context(), message(conversation, fmt.Sprintf("%s %d", prefix, i))); err != nil {
				t.Errorf("publish: %v", err)
			}
		})
	}
	wg.Wait()
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// value reads a metric of the registry, or -1.
func (l *log) value(name string, labels map[string]string) float64 {
	l.t.Helper()
	families, err := l.metrics.Gather()
	if err != nil {
		l.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			has := make(map[string]string)
			for _, pair := range m.GetLabel() {
				has[pair.GetName()] = pair.GetValue()
			}
			maps.DeleteFunc(has, func(k, v string) bool { return labels[k] != v })
			if len(has) < len(labels) {
				continue
			}
			switch {
			case m.Counter != nil:
				return m.Counter.GetValue()
			case m.Gauge != nil:
				return m.Gauge.GetValue()
			case m.Histogram != nil:
				return float64(m.Histogram.GetSampleCount())
			}
		}
	}
	return -1
}
