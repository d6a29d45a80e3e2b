package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestPoison is row 25: a record that nobody can deliver goes to the dead-letter topic, whole, with its position and
// the reason, and its partition goes on.
func TestPoison(t *testing.T) {
	address := freeAddress(t)
	p := start(t, "DOZAAR_EMBEDDED_KAFKA="+address)
	if realEngines() {
		address = os.Getenv("DOZAAR_KAFKA_BROKERS")
	}
	k := newLogReader(t, address)
	bea, sam := newPerson("Bea"), newPerson("Sam")
	home := p.talk(bea, sam, "")
	home.say("the first")

	// What is tampered with is a record that was good, so that only the tampering can be why it is refused.
	good := k.next("chat.messages", func(r *kgo.Record) bool { return string(r.Key) == home.id })
	away := (good.Partition + 1) % k.partitions("chat.messages")
	neighbour := p.talk(bea, sam, k.keyIn("chat.messages", away))
	neighbour.say("the first")
	unknownSchema := append([]byte{0, 0x7f, 0xff, 0xff, 0xff}, good.Value[5:]...)
	poison := []struct {
		topic  string
		reason string
		record *kgo.Record
	}{
		{"chat.messages", "undecodable", &kgo.Record{Partition: good.Partition, Key: good.Key, Value: []byte("this is no Avro")}},
		{"chat.messages", "undecodable", &kgo.Record{Partition: good.Partition, Key: good.Key, Value: unknownSchema}},
		{"chat.messages", "undecodable", &kgo.Record{Partition: good.Partition, Key: good.Key, Value: good.Value[:len(good.Value)-3]}},
		{"chat.messages", "undecodable", &kgo.Record{Partition: good.Partition, Key: good.Key, Value: []byte{}}},
		{"chat.messages", "undecodable", &kgo.Record{Partition: good.Partition, Key: good.Key}},
		{"chat.messages", "undecodable", &kgo.Record{Partition: good.Partition}},
		{"chat.messages", "key", &kgo.Record{Partition: good.Partition, Key: []byte(neighbour.id), Value: good.Value}},
		{"chat.messages", "key", &kgo.Record{Partition: good.Partition, Value: good.Value}},
		{"chat.messages", "partition", &kgo.Record{Partition: away, Key: good.Key, Value: good.Value}},
		{"chat.receipts", "undecodable", &kgo.Record{Partition: good.Partition, Key: good.Key, Value: good.Value}}, // another event
		{"chat.conversations", "undecodable", &kgo.Record{Partition: good.Partition, Key: good.Key, Value: []byte("this is no Avro")}},
	}
	for _, x := range poison {
		x.record.Topic = x.topic
		x.record.Headers = []kgo.RecordHeader{{Key: "ce_id", Value: []byte(newPerson("x").ID)}, {Key: "odd", Value: []byte{0xff, 0}}}
		k.produce(x.record)
	}
	for _, room := range []*talk{home, neighbour} {
		room.say("after the poison")
		if got := p.history(room.id); len(got) != 2 || got[1].Seq != 2 || got[1].Message != "after the poison" {
			t.Errorf("the history is %v, want two messages", got)
		}
	}
	for _, x := range poison {
		position := map[string]string{
			"dlq_topic": x.topic, "dlq_partition": fmt.Sprint(x.record.Partition), "dlq_offset": fmt.Sprint(x.record.Offset),
		}
		dead := k.next("chat.deadletter", func(r *kgo.Record) bool {
			for name, value := range position {
				if header(r, name) != value {
					return false
				}
			}
			return true
		})
		if !bytes.Equal(dead.Key, x.record.Key) || !bytes.Equal(dead.Value, x.record.Value) {
			t.Errorf("%v: key and value were %q %q, are %q %q", position, x.record.Key, x.record.Value, dead.Key, dead.Value)
		}
		for _, h := range x.record.Headers {
			if got := header(dead, h.Key); got != string(h.Value) {
				t.Errorf("%v: header %s was %q, is %q", position, h.Key, h.Value, got)
			}
		}
		if reason := header(dead, "dlq_reason"); !strings.HasPrefix(reason, x.reason+": ") {
			t.Errorf("%v: the reason is %q, want %s", position, reason, x.reason)
		}
	}
}

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// logReader is a client of Kafka's that is no part of the product, as those of the data teams are.
type logReader struct {
	t      *testing.T
	client *kgo.Client
	seen   []*kgo.Record // what was read since it began
}

func newLogReader(t *testing.T, brokers string) *logReader {
	t.Helper()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(brokers, ",")...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ConsumeTopics("chat.messages", "chat.deadletter"), kgo.ConsumeResetOffset(kgo.NewOffset().AfterMilli(time.Now().UnixMilli())),
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &logReader{t: t, client: client}
}

// next is the first record of the topic that fits, read already or to come.
func (k *logReader) next(topic string, fits func(*kgo.Record) bool) *kgo.Record {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), patience)
	defer cancel()
	for i := 0; ; i++ {
		for i == len(k.seen) {
			fetches := k.client.PollFetches(ctx)
			if ctx.Err() != nil {
				k.t.Fatalf("no record of %s fits; read were %d", topic, len(k.seen))
			}
			k.seen = append(k.seen, fetches.Records()...)
		}
		if r := k.seen[i]; r.Topic == topic && fits(r) {
			return r
		}
	}
}

func (k *logReader) produce(r *kgo.Record) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), patience)
	defer cancel()
	if err := k.client.ProduceSync(ctx, r).FirstErr(); err != nil {
		k.t.Fatal(err)
	}
}

func (k *logReader) partitions(topic string) int32 {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), patience)
	defer cancel()
	topics, err := kadm.NewClient(k.client).ListTopics(ctx, topic)
	if err != nil || len(topics[topic].Partitions) < 2 {
		k.t.Fatalf("topic %s: %v, %v", topic, topics, err)
	}
	return int32(len(topics[topic].Partitions))
}

// keyIn is a new conversation's id that belongs into that partition.
func (k *logReader) keyIn(topic string, partition int32) string {
	k.t.Helper()
	n := int(k.partitions(topic))
	partitioner := kgo.StickyKeyPartitioner(nil).ForTopic(topic)
	for {
		id := newPerson("x").ID
		if partitioner.Partition(&kgo.Record{Key: []byte(id)}, n) == int(partition) {
			return id
		}
	}
}
