package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
	"github.com/dozaar/dozaar/schemas/registry"
)

// Of two dead letters one can be read after all: put back, it gets the next number, once. The other comes back as
// another dead letter, and --all goes on with that one.
func TestDeadLetters(t *testing.T) {
	w := newWorld(t)
	env := []string{"DOZAAR_KAFKA_BROKERS=" + w.brokers[0]}
	if got := dozaar(t, env, "deadletter"); got.code != exitFailed || !strings.Contains(got.stderr, "run `dozaar topics apply`") {
		t.Errorf("before there are topics: %+v", got)
	}
	w.everything()
	if got := dozaar(t, env, "deadletter"); got.code != exitOK || got.stdout != "no dead letters\n" {
		t.Errorf("%+v", got)
	}
	conversation, user := w.conversation()
	w.publish(draft("a").New(conversation, user, time.Now()), draft("b").New(conversation, user, time.Now()))
	p, codec := w.producer()
	junk := kafka.Record{
		Topic: schemas.TopicMessages, Key: []byte(conversation.String()), Value: []byte("no Avro \x1b[31m"),
		Headers: []kafka.Header{{Key: "odd", Value: []byte{0xff, 0}}},
	}
	if err := p.Redrive(t.Context(), kafka.DeadLetter{ID: kafka.DeadLetterID{Partition: 99}, Record: junk}); err != nil {
		t.Fatal(err)
	}
	value, err := codec.EncodeMessage(draft("misplaced").New(conversation, user, time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.DeadLetter(t.Context(), kafka.Record{Topic: schemas.TopicMessages, Key: junk.Key, Value: value}, errors.New("partition: an earlier release thought so")); err != nil {
		t.Fatal(err)
	}
	deliver := w.start(roleDeliver)
	defer deliver.stop(t)
	if got := w.history(conversation, 2); got != "a b" {
		t.Fatalf("history %q", got)
	}

	letters := w.deadLetters(2, env)
	misplaced, undecodable := letters[0], letters[1]
	if strings.HasPrefix(misplaced.Reason, "undecodable") {
		misplaced, undecodable = undecodable, misplaced
	}
	if !strings.HasPrefix(misplaced.Reason, "partition: ") || misplaced.Topic != schemas.TopicMessages || misplaced.Key != conversation.String() || misplaced.Bytes == 0 {
		t.Errorf("%+v", misplaced)
	}
	if got := dozaar(t, env, "deadletter", "list", "--reason", "undecodable"); !strings.Contains(got.stdout, undecodable.ID) || strings.Contains(got.stdout, misplaced.Reason) {
		t.Errorf("only one reason: %+v", got)
	}
	if got := dozaar(t, env, "deadletter", "list", "--reason", "bogus"); got.code != exitUsage || !strings.Contains(got.stderr, "--reason must be one of") {
		t.Errorf("a reason that there is not: %+v", got)
	}
	if got := dozaar(t, env, "deadletter", "--topic", "chat.receipts"); got.stdout != "no dead letters\n" {
		t.Errorf("of another topic: %+v", got)
	}
	shown := dozaar(t, env, "deadletter", "show", undecodable.ID)
	if shown.code != exitOK || !strings.Contains(shown.stdout, "no Avro .[31m") || !strings.Contains(shown.stdout, `header odd`) || strings.Contains(shown.stdout, "\x1b") {
		t.Errorf("%+v", shown)
	}
	if got := dozaar(t, env, "deadletter", "show", "--raw", undecodable.ID); got.stdout != "no Avro \x1b[31m" {
		t.Errorf("raw: %+v", got)
	}

	for _, wrong := range [][]string{{}, {"1"}, {"--all", "0/0"}, {"--topic", "x", "0/0"}} {
		if got := dozaar(t, env, append([]string{"deadletter", "redrive"}, wrong...)...); got.code != exitUsage {
			t.Errorf("redrive %q: %+v", wrong, got)
		}
	}
	if got := dozaar(t, env, "deadletter", "redrive", "0/999"); got.code != exitFailed || !strings.Contains(got.stderr, "there is no such dead letter: 0/999") {
		t.Errorf("%+v", got)
	}
	if got := dozaar(t, env, "deadletter", "redrive", "--all", "--dry-run"); got.code != exitOK || !strings.Contains(got.stdout, "would put back: 2") {
		t.Errorf("%+v", got)
	}
	for i := range 2 { // the second time changes nothing: one is a duplicate, the other has come back
		if got := dozaar(t, env, "deadletter", "redrive", "--all", "--since", "1h"); got.code != exitOK || !strings.Contains(got.stdout, "put back: 2") {
			t.Errorf("%+v", got)
		}
		letters = w.deadLetters(3+i, env)
	}
	if got := w.history(conversation, 3); got != "a b misplaced" {
		t.Errorf("history %q", got)
	}
	again := 0
	for _, l := range letters {
		if l.CameBackAs != "" {
			again++
		}
	}
	if again != 2 {
		t.Errorf("%+v; want two that came back", letters)
	}
}

// producer is a gateway's and a deliver's.
func (w *world) producer() (*kafka.Producer, *schemas.Codec) {
	w.t.Helper()
	r, err := registry.New(nil, w.registry)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(r.Close)
	codec, err := schemas.NewCodec(w.t.Context(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := kafka.NewProducer(kafka.ProducerConfig{Config: kafka.Config{Brokers: w.brokers}}, codec)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { p.Close(context.Background()) }) //nolint:errcheck // everything was confirmed
	return p, codec
}

// deadLetters waits until there are so many.
func (w *world) deadLetters(n int, env []string) (letters []deadLetterLine) {
	w.t.Helper()
	for end := time.Now().Add(30 * time.Second); len(letters) < n && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		letters = nil
		got := dozaar(w.t, env, "deadletter", "list", "--json")
		for line := range strings.Lines(got.stdout) {
			var l deadLetterLine
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				w.t.Fatal(err)
			}
			letters = append(letters, l)
		}
	}
	if len(letters) != n {
		w.t.Fatalf("%+v; want %d", letters, n)
	}
	return letters
}
