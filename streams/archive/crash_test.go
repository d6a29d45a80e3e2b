package archive

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas/registry"
)

// What a child process archives into, and from.
const (
	childDir      = "DOZAAR_TEST_ARCHIVE_DIR"
	childBrokers  = "DOZAAR_TEST_ARCHIVE_BROKERS"
	childRegistry = "DOZAAR_TEST_ARCHIVE_REGISTRY"
)

func child() int {
	r, err := registry.New(nil, os.Getenv(childRegistry))
	if err == nil {
		err = Run(context.Background(), Config{
			Dir: os.Getenv(childDir), Kafka: kafka.Config{Brokers: strings.Split(os.Getenv(childBrokers), ",")}, Registry: r, MaxBytes: 3_000,
		})
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// However often and wherever an archive is killed while records come, each of them is in one file, once.
func TestKilledAnywhere(t *testing.T) {
	w := newWorld(t)
	if err := os.MkdirAll(w.dir, 0o750); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	conversations := []chat.ID{chat.NewID(), chat.NewID(), chat.NewID(), chat.NewID()}
	next, killedAtWork := 0, 0
	for range 12 {
		for _, c := range conversations {
			w.publish(c, next, 100)
			next += 100
		}
		before := len(w.files())
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), childDir+"="+w.dir, childBrokers+"="+strings.Join(w.kafka.Brokers, ","), childRegistry+"="+w.url)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Killed some files after it has begun, so that it dies at work however slow the machine is.
		for files := before + random.IntN(12); len(w.files()) < files && cmd.ProcessState == nil; time.Sleep(time.Millisecond) {
			if t.Context().Err() != nil {
				break
			}
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if left, _ := filepath.Glob(filepath.Join(w.dir, temporary+"*")); len(left) > 0 {
			killedAtWork++
		}
	}
	w.archive(w.config())
	texts := w.texts()
	slices.Sort(texts)
	if distinct := slices.Compact(slices.Clone(texts)); len(texts) != next || len(distinct) != next {
		t.Errorf("%d records, %d of them distinct; want %d", len(texts), len(distinct), next)
	}
	if left, _ := filepath.Glob(filepath.Join(w.dir, temporary+"*")); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
	t.Logf("killed in the middle of a file %d times", killedAtWork)
}

// raw puts any bytes into a topic.
func (w *world) raw(topic string, key chat.ID, value []byte) {
	w.Helper()
	if err := w.producer.Redrive(w.Context(), kafka.DeadLetter{Record: kafka.Record{Topic: topic, Key: []byte(key.String()), Value: value}}); err != nil {
		w.Fatal(err)
	}
}
