package presence

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dozaar/dozaar/pkg/chat"
)

func (w *town) counts() (told, recorded int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.told), len(w.recorded)
}

func (w *town) setKafka(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kafka = err
}

// People are told while Kafka is away, and what they were told is in Kafka when it is back, or when the process ends.
func TestWhatIsToldIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown()
		w.setKafka(chat.ErrUnavailable)
		reg := prometheus.NewRegistry()
		a := NewAnnouncer(Config{Peers: w, Directory: w, Relay: w, Publisher: w, MaxPeers: 500, Registerer: reg})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- a.Run(ctx) }()
		const n = 50 // more than are published at once
		for i := range n {
			a.Announce(ctx, chat.PresenceChange{UserID: id(i), Version: 1})
		}
		time.Sleep(time.Minute)
		if told, recorded := w.counts(); told != n || recorded != 0 {
			t.Fatalf("%d told, %d recorded while Kafka is away", told, recorded)
		}
		w.setKafka(nil)
		time.Sleep(time.Minute)
		if _, recorded := w.counts(); recorded != n {
			t.Fatalf("%d recorded when it was back", recorded)
		}
		w.setKafka(chat.ErrUnavailable)
		for i := range n {
			a.Announce(ctx, chat.PresenceChange{UserID: id(i), Version: 2})
		}
		time.Sleep(time.Second)
		w.setKafka(nil)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if _, recorded := w.counts(); recorded != 2*n {
			t.Errorf("%d recorded at the end", recorded)
		}
	})
}

// What Kafka will never take holds nothing up; what comes while too much is held back is dropped; and the process ends in time.
func TestWhatCannotBeRecordedIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown()
		reg := prometheus.NewRegistry()
		r := newRecord(Config{Publisher: w, Registerer: reg, Logger: discard()})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.run(ctx) }()
		w.setKafka(errors.New("never"))
		r.add(chat.PresenceChange{})
		time.Sleep(time.Second)
		if dropped := results(t, reg)["dropped"]; dropped != 1 {
			t.Errorf("%v dropped, want the one that Kafka refused", dropped)
		}
		w.setKafka(chat.ErrUnavailable)
		for range recordQueue + recordWorkers + 5 {
			r.add(chat.PresenceChange{})
			synctest.Wait()
		}
		if dropped := results(t, reg)["dropped"]; dropped != 6 {
			t.Errorf("%v dropped, want the six that found no room", dropped)
		}
		began := time.Now()
		cancel()
		<-ended
		if took := time.Since(began); took > 2*recordEnd {
			t.Errorf("ended after %s", took)
		}
	})
}

func TestWherePresenceIsOffNothingIsRecorded(t *testing.T) {
	w := newTown()
	a := run(t, w, Config{Off: true})
	a.Announce(t.Context(), chat.PresenceChange{UserID: id(1)})
	w.wait(t, 1)
	if len(a.record.queue) != 0 {
		t.Error("something is to be recorded")
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// results are the counter of records, by result.
func results(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, f := range families {
		if f.GetName() == "dozaar_presence_records_total" {
			for _, m := range f.GetMetric() {
				found[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	return found
}
