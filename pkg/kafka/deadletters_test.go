package kafka_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestDeadLettersAreReadAsTheyWereWritten(t *testing.T) {
	l := newLog(t, 3)
	all := func() (letters []kafka.DeadLetter) {
		t.Helper()
		err := kafka.ReadDeadLetters(t.Context(), l.config, func(d kafka.DeadLetter) error {
			letters = append(letters, d)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return letters
	}
	if letters := all(); letters != nil {
		t.Fatalf("%+v; want none", letters)
	}
	p := l.producer(nil)
	var want []kafka.Record
	for i := range 5 {
		r := kafka.Record{
			Topic: schemas.TopicReceipts, Partition: 2, Position: chat.Position{Epoch: 1, Offset: int64(i)}, Key: []byte("one key"), Value: []byte{byte(i), 0},
			Headers: []kafka.Header{{Key: kafka.HeaderDeadTopic, Value: []byte("not ours")}, {Key: "x", Value: []byte{0xff}}}, Time: time.UnixMilli(1_700_000_000_000).UTC(),
		}
		if err := p.DeadLetter(t.Context(), r, fmt.Errorf("invalid: %d", i)); err != nil {
			t.Fatal(err)
		}
		want = append(want, r)
	}
	letters := all()
	if len(letters) != len(want) {
		t.Fatalf("%d; want %d", len(letters), len(want))
	}
	for i, d := range letters {
		if !reflect.DeepEqual(d.Record, want[i]) || d.Reason != fmt.Sprintf("invalid: %d", i) || time.Since(d.Buried) > time.Minute {
			t.Errorf("%+v;\nwant %+v", d, want[i])
		}
		one, err := kafka.ReadDeadLetter(t.Context(), l.config, d.ID)
		if err != nil || !reflect.DeepEqual(one, d) {
			t.Errorf("%s: %+v, %v", d.ID, one, err)
		}
	}
	last := letters[4].ID
	for _, id := range []kafka.DeadLetterID{{Partition: last.Partition, Offset: 5}, {Partition: 99, Offset: 0}, {Partition: (last.Partition + 1) % 3, Offset: 0}} {
		if d, err := kafka.ReadDeadLetter(t.Context(), l.config, id); !errors.Is(err, kafka.ErrNoDeadLetter) {
			t.Errorf("%s: %+v, %v; want that there is none", id, d, err)
		}
	}
	stop := errors.New("stop")
	if err := kafka.ReadDeadLetters(t.Context(), l.config, func(kafka.DeadLetter) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v; want the error that ended it", err)
	}
}

// A redriven record is its old self, with one more header that says where it comes from.
func TestRedrive(t *testing.T) {
	l := newLog(t, 3)
	p := l.producer(nil)
	was := kafka.Record{Topic: schemas.TopicMessages, Partition: 1, Key: []byte("k"), Value: []byte("v"), Headers: []kafka.Header{{Key: "ce_id", Value: []byte("7")}}}
	if err := p.DeadLetter(t.Context(), was, errors.New("key: wrong")); err != nil {
		t.Fatal(err)
	}
	var letter kafka.DeadLetter
	if err := kafka.ReadDeadLetters(t.Context(), l.config, func(d kafka.DeadLetter) error { letter = d; return nil }); err != nil {
		t.Fatal(err)
	}
	letter.Headers = append(letter.Headers, kafka.Header{Key: kafka.HeaderRedriven, Value: []byte("0/1")}) // from an earlier time
	if err := p.Redrive(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	got := l.read(schemas.TopicMessages, 1)[0]
	if string(got.Key) != "k" || string(got.Value) != "v" || len(got.Headers) != 2 || headers(got)["ce_id"] != "7" || headers(got)[kafka.HeaderRedriven] != letter.ID.String() {
		t.Errorf("%+v", got)
	}
}

// A record that chat.deadletter does not take is left out, and told by its place: nothing waits behind it for ever.
func TestADeadLetterThatIsTooLarge(t *testing.T) {
	l := newLog(t, 3)
	p := l.producer(nil)
	large := make([]byte, 9<<20)
	for i, r := range []kafka.Record{
		{Key: []byte("k"), Value: large, Headers: []kafka.Header{{Key: "x", Value: []byte("y")}}},
		{Key: large[:2<<10], Value: large},
		{Key: []byte("k"), Headers: []kafka.Header{{Key: "x", Value: large}}},
	} {
		r.Topic, r.Partition, r.Position = schemas.TopicMessages, 1, chat.Position{Epoch: 1, Offset: int64(i)}
		if err := p.DeadLetter(t.Context(), r, errors.New("undecodable: it is large")); err != nil {
			t.Fatal(i, err)
		}
	}
	found := 0
	err := kafka.ReadDeadLetters(t.Context(), l.config, func(d kafka.DeadLetter) error {
		found++
		if d.Topic != schemas.TopicMessages || d.Partition != 1 || d.Reason != "undecodable: it is large" || d.LeftOut < len(large) || len(d.Key) > 1 || len(d.Value) > 0 {
			t.Errorf("%+v", d)
		}
		if err := p.Redrive(t.Context(), d); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("chat.messages partition 1, offset %d", d.Position.Offset)) {
			t.Errorf("redriven: %v", err)
		}
		return nil
	})
	if err != nil || found != 3 {
		t.Errorf("%d, %v", found, err)
	}
}

// What something else put among the dead letters is shown, and goes nowhere.
func TestStrangersDeadLetter(t *testing.T) {
	l := newLog(t, 3)
	client, err := kgo.NewClient(kgo.SeedBrokers(l.config.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	strange := []*kgo.Record{{}, {Key: []byte("k"), Headers: []kgo.RecordHeader{{Key: kafka.HeaderDeadTopic, Value: []byte("chat.messages")}}}, {Key: []byte("k")}}
	for _, name := range []string{
		kafka.HeaderDeadTopic, kafka.HeaderDeadPartition, kafka.HeaderDeadOffset, kafka.HeaderDeadEpoch, kafka.HeaderDeadReason, kafka.HeaderDeadProduced,
	} {
		strange[2].Headers = append(strange[2].Headers, kgo.RecordHeader{Key: name, Value: []byte("no number")})
	}
	for _, r := range strange {
		r.Topic = schemas.TopicDeadLetter
	}
	if err := client.ProduceSync(t.Context(), strange...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	found, p := 0, l.producer(nil)
	err = kafka.ReadDeadLetters(t.Context(), l.config, func(d kafka.DeadLetter) error {
		found++
		if d.Topic != "" || p.Redrive(t.Context(), d) == nil {
			t.Errorf("%+v", d)
		}
		return nil
	})
	if err != nil || found != len(strange) {
		t.Errorf("%d, %v", found, err)
	}
}

func TestParseDeadLetterID(t *testing.T) {
	if id, ok := kafka.ParseDeadLetterID("12/345"); !ok || id != (kafka.DeadLetterID{Partition: 12, Offset: 345}) || id.String() != "12/345" {
		t.Errorf("%+v, %v", id, ok)
	}
	for _, text := range []string{"", "1", "1/", "/1", "-1/2", "1/-2", "1/2/3", "a/b", "4294967296/1"} {
		if id, ok := kafka.ParseDeadLetterID(text); ok {
			t.Errorf("%q was taken as %v", text, id)
		}
	}
}
