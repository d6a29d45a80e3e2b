package archive

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
)

func (w *world) admin() *kadm.Client {
	w.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.kafka.Brokers...))
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(client.Close)
	return kadm.NewClient(client)
}

// begin archives in the background, and returns once a record was taken, with a function that waits for the end.
func (w *world) begin(clock func() time.Time) (ended func() error) {
	w.Helper()
	taken := make(chan struct{})
	var once sync.Once
	cfg := w.config()
	cfg.Once, cfg.Every = false, time.Hour
	cfg.idle = time.Minute // the clock is asked first when there is a record
	cfg.Clock = func() time.Time {
		once.Do(func() { close(taken) })
		return clock()
	}
	failed := make(chan error, 1)
	go func() { failed <- Run(w.Context(), cfg) }()
	select {
	case <-taken:
	case <-time.After(30 * time.Second):
		w.Fatal("nothing was taken")
	}
	return func() error {
		select {
		case err := <-failed:
			return err
		case <-time.After(30 * time.Second):
			w.Fatal("it goes on")
			return nil
		}
	}
}

// An archive that runs ends when a topic is no longer the one that it reads, with what it has taken written.
func TestATopicThatChangesEndsIt(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(admin *kadm.Client) error
		says   string
		next   string // what the next one says; "": it goes on
	}{
		{"deleted", func(admin *kadm.Client) error {
			_, err := admin.DeleteTopic(t.Context(), schemas.TopicStored)
			return err
		}, "topic chat.messages.stored was deleted", "run `dozaar topics apply`"},
		{"made again", func(admin *kadm.Client) error {
			_, err := admin.DeleteTopic(t.Context(), schemas.TopicStored)
			_, again := admin.CreateTopic(t.Context(), 2, 1, nil, schemas.TopicStored)
			return errors.Join(err, again)
		}, "topic chat.messages.stored was made again", "archive into another folder"},
		{"more partitions", func(admin *kadm.Client) error {
			_, err := admin.CreatePartitions(t.Context(), 1, schemas.TopicReceipts)
			return err
		}, "topic chat.receipts has 3 partitions and had 2", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.publish(conversation, 1, 3)
			ended := w.begin(func() time.Time { return noon })
			if err := tt.change(w.admin()); err != nil {
				t.Fatal(err)
			}
			if err := ended(); !errors.Is(err, kafka.ErrLogChanged) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("it says %v", err)
			}
			if got := w.texts(); !slices.Equal(got, []string{"message 1", "message 2", "message 3"}) {
				t.Errorf("archived %q", got)
			}
			err := Run(t.Context(), w.config())
			if tt.next == "" && err != nil || tt.next != "" && (err == nil || !strings.Contains(err.Error(), tt.next)) {
				t.Errorf("the next one says %v; want %q", err, tt.next)
			}
		})
	}
}

// Records that are dropped under an archive that runs end it; the next one says which are lost. Those taken are not.
func TestRecordsDroppedUnderIt(t *testing.T) {
	w := newWorld(t)
	w.publish(conversation, 1, 1)
	goOn := make(chan struct{})
	ended := w.begin(func() time.Time { <-goOn; return noon })
	w.publish(conversation, 2, 1) // is fetched, and waits
	time.Sleep(time.Second)
	w.publish(conversation, 3, 2)
	partition := kafka.Partitions(map[string]int32{schemas.TopicStored: 2})(schemas.TopicStored, []byte(conversation.String()))
	drop := kadm.Offsets{}
	drop.Add(kadm.Offset{Topic: schemas.TopicStored, Partition: partition, At: 3})
	if answer, err := w.admin().DeleteRecords(t.Context(), drop); err != nil || answer.Error() != nil {
		t.Fatal(err, answer.Error())
	}
	close(goOn)
	if err := ended(); !errors.Is(err, kafka.ErrLogChanged) || !strings.Contains(err.Error(), "to be read next are gone") {
		t.Errorf("it says %v", err)
	}
	taken := len(w.texts())
	registerer := prometheus.NewRegistry()
	cfg := w.config()
	cfg.Registerer = registerer
	w.archive(cfg)
	lost := counted(t, registerer, "dozaar_archive_lost_records_total")
	if taken == 0 || taken+int(lost) != 3 || len(w.texts()) != taken+1 {
		t.Errorf("%d were taken of three, %v are said to be lost, and then there are %q", taken, lost, w.texts())
	}
}

// A folder that has nothing of a partition says so, too, where the log has dropped its beginning.
func TestALogWithoutItsBeginning(t *testing.T) {
	var said bytes.Buffer
	cfg := (&world{T: t}).config()
	cfg.Logger = slog.New(slog.NewTextHandler(&said, nil))
	a := newArchive(cfg)
	a.topics["t"] = &topic{name: "t"}
	offset, err := a.from(kafka.LogPartition{Topic: "t", Partition: 1, Start: 50, End: 60})
	if err != nil || offset != 50 || !strings.Contains(said.String(), "topic=t partition=1 first=0 last=49 records=50") {
		t.Errorf("goes on at %d, %v, and says %s", offset, err, said.String())
	}
}

// With Once, an engine that goes away in the middle is not waited for for ever.
func TestPatience(t *testing.T) {
	w := newWorld(t)
	w.raw(schemas.TopicStored, conversation, []byte{0, 0, 0, 0, 99, 1, 2, 3})
	cfg := w.config()
	cfg.Patience = 1500 * time.Millisecond
	cfg.Registry = &flaky{Registry: w.registry, failures: 1 << 30}
	if err := Run(t.Context(), cfg); !errors.Is(err, chat.ErrUnavailable) || !strings.Contains(err.Error(), "the schema registry was away for 1.5s") {
		t.Errorf("without a registry: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := kafka.Read(ctx, kafka.ReadConfig{
		Config: w.kafka, Topics: []string{schemas.TopicStored}, Once: true, Patience: time.Second,
		From: func(kafka.LogPartition) (int64, error) { return 0, w.broker.Close() },
	}, func(context.Context, []kafka.Record) error { return nil })
	if !errors.Is(err, chat.ErrUnavailable) || !strings.Contains(err.Error(), "the brokers gave nothing for 1s") {
		t.Errorf("without brokers: %v", err)
	}
}
