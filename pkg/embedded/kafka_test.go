package embedded_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/embedded"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
)

func startKafka(t *testing.T, cfg embedded.KafkaConfig) *embedded.Kafka {
	t.Helper()
	k, err := embedded.StartKafka(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// kafkaClient talks to a broker as the product does: acks=all, idempotent, keyed.
func kafkaClient(t *testing.T, addr string, opts ...kgo.Opt) (*kgo.Client, *kadm.Client) {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr), kgo.ProducerBatchCompression(kgo.NoCompression())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client, kadm.NewClient(client)
}

func makeTopic(t *testing.T, admin *kadm.Client, topic string, partitions int32) {
	t.Helper()
	// As topics.yaml has it: the embedded log keeps less, and must not lose the last record to it.
	retention := "604800000"
	if _, err := admin.CreateTopic(t.Context(), partitions, 1, map[string]*string{"retention.ms": &retention}, topic); err != nil {
		t.Fatal(err)
	}
}

func commit(t *testing.T, admin *kadm.Client, group, topic string, partition int32, offset int64) {
	t.Helper()
	var o kadm.Offsets
	o.AddOffset(topic, partition, offset, -1)
	if err := admin.CommitAllOffsets(t.Context(), group, o); err != nil {
		t.Fatal(err)
	}
}

func bounds(t *testing.T, admin *kadm.Client, topic string, partition int32) (start, end int64) {
	t.Helper()
	starts, err := admin.ListStartOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	ends, err := admin.ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := starts.Lookup(topic, partition)
	e, _ := ends.Lookup(topic, partition)
	return s.Offset, e.Offset
}

// runKafka enforces the limits until the test ends.
func runKafka(t *testing.T, k *embedded.Kafka) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

const childDir = "DOZAAR_TEST_KAFKA_DIR"

// TestMain is also the process that TestKafkaSurvivesSIGKILL kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		k, err := embedded.StartKafka(embedded.KafkaConfig{Dir: dir})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("listening on", k.Addr())
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // should nobody kill it
		defer cancel()
		_ = k.Run(ctx)
		return
	}
	goleak.VerifyTestMain(m)
}

func startChild(t *testing.T, dir string) (addr string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(kill)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "listening on "); ok {
			return rest, kill
		}
	}
	t.Fatal("the child process did not start")
	return "", nil
}

// Killed without a warning, in the middle of writing, twice: every acknowledged record and every
// committed offset is there, in place, and the log goes on behind them.
func TestKafkaSurvivesSIGKILL(t *testing.T) {
	const partitions = 4
	dir := t.TempDir()
	acknowledged := make(map[string]int64) // "partition value" → offset
	committed := make(map[int32]int64)
	var identity kadm.TopicID

	for life := range 3 {
		addr, kill := startChild(t, dir)
		client, admin := kafkaClient(t, addr, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RecordDeliveryTimeout(time.Second))
		if life == 0 {
			makeTopic(t, admin, "t", partitions)
		}
		topics, err := admin.ListTopics(t.Context(), "t")
		if err != nil {
			t.Fatal(err)
		}
		if id := topics["t"].ID; life > 0 && id != identity {
			t.Fatalf("life %d: the topic is another one", life)
		} else {
			identity = id
		}
		checkLog(t, addr, life, acknowledged)
		offsets, err := admin.FetchOffsets(t.Context(), "g")
		if life > 0 && err != nil {
			t.Fatal(err)
		}
		for p, want := range committed {
			if got, _ := offsets.Lookup("t", p); got.At != want {
				t.Errorf("life %d: partition %d is committed at %d; want %d", life, p, got.At, want)
			}
		}
		if life == 2 {
			break
		}

		var mu sync.Mutex
		var writers sync.WaitGroup
		dead := make(chan struct{})
		for p := range int32(partitions) {
			writers.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-dead:
						return
					default:
					}
					value := fmt.Sprintf("%d.%d.%d", life, p, i)
					r := &kgo.Record{Topic: "t", Partition: p, Value: []byte(value)}
					if client.ProduceSync(context.Background(), r).FirstErr() == nil {
						mu.Lock()
						acknowledged[fmt.Sprint(p, " ", value)] = r.Offset
						mu.Unlock()
					}
				}
			})
		}
		within(t, "some hundred records", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(acknowledged) > (life+1)*300
		})
		for p := range int32(partitions) {
			_, end := bounds(t, admin, "t", p)
			commit(t, admin, "g", "t", p, end-1)
			committed[p] = end - 1
		}
		kill()
		close(dead)
		client.Close() // ends what waits for an answer that will not come
		writers.Wait()
	}
}

func checkLog(t *testing.T, addr string, life int, acknowledged map[string]int64) {
	t.Helper()
	if len(acknowledged) == 0 {
		return
	}
	reader, _ := kafkaClient(t, addr, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer reader.Close()
	found := make(map[string]int64)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for missing := len(acknowledged); missing > 0; {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("life %d: %d of %d acknowledged records are missing: %v", life, missing, len(acknowledged), err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			key := fmt.Sprint(r.Partition, " ", string(r.Value))
			if _, twice := found[key]; twice {
				t.Errorf("life %d: record %s is there twice", life, key)
			}
			found[key] = r.Offset
			if want, ok := acknowledged[key]; ok {
				missing--
				if want != r.Offset {
					t.Errorf("life %d: record %s is at %d; was acknowledged at %d", life, key, r.Offset, want)
				}
			}
		})
	}
}

// Far more is written than may be kept: disk and memory stay within bounds, the newest records are
// there, and offsets go on.
func TestKafkaIsBounded(t *testing.T) {
	const limit, size, count = 8 << 20, 16 << 10, 4096 // writes 64 MiB
	dir := t.TempDir()
	k := startKafka(t, embedded.KafkaConfig{Dir: dir, MaxBytes: limit, Interval: 20 * time.Millisecond})
	defer k.Close()
	runKafka(t, k)
	client, admin := kafkaClient(t, k.Addr(), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()), kgo.MaxBufferedRecords(256))
	makeTopic(t, admin, "t", 4)
	heap := heapInUse()
	value := make([]byte, size)
	for range count {
		if _, err := rand.Read(value); err != nil {
			t.Fatal(err)
		}
		client.Produce(t.Context(), &kgo.Record{Topic: "t", Value: append([]byte(nil), value...)}, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Errorf("produce: %v", err)
			}
		})
	}
	if err := client.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	within(t, "the log shrinks below its limit", func() bool { return onDisk(t, dir) <= limit })
	if got := onDisk(t, dir); got < limit/4 {
		t.Errorf("%d bytes are left of %d allowed: too much was deleted", got, limit)
	}
	if grown := int64(heapInUse()) - int64(heap); grown > limit {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	for p := range int32(4) {
		start, end := bounds(t, admin, "t", p)
		if end != count/4 || start == 0 || start >= end {
			t.Errorf("partition %d has the records [%d, %d); want an end of %d and a start between", p, start, end, count/4)
		}
	}
}

func onDisk(t *testing.T, dir string) (total int64) {
	t.Helper()
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				total += info.Size()
			}
		}
		return nil
	})
	return total
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Records that are too old go, but for one in each partition: without it the partition would start at
// offset 0 again after a restart, and new records would have the positions of old ones.
func TestKafkaForgetsTheOld(t *testing.T) {
	dir := t.TempDir()
	var mu sync.Mutex
	var ahead time.Duration
	cfg := embedded.KafkaConfig{Dir: dir, MaxAge: time.Hour, Interval: 20 * time.Millisecond, Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(ahead)
	}}
	k := startKafka(t, cfg)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	client, admin := kafkaClient(t, k.Addr())
	makeTopic(t, admin, "t", 1)
	produce := func(client *kgo.Client, n int, at time.Time) {
		t.Helper()
		for range n {
			if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("v"), Timestamp: at}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	produce(client, 10, time.Now().Add(-2*time.Hour))
	produce(client, 10, time.Now())
	within(t, "the records of two hours ago are gone", func() bool { start, _ := bounds(t, admin, "t", 0); return start == 10 })
	mu.Lock()
	ahead = 2 * time.Hour
	mu.Unlock()
	within(t, "all records but one are gone", func() bool { start, _ := bounds(t, admin, "t", 0); return start == 19 })
	client.Close()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}

	for _, how := range []string{"after a clean stop", "after a crash"} {
		if how == "after a clean stop" {
			k.Close()
		} else { // a copy of the folder is what a crash leaves
			crashed := t.TempDir()
			if err := os.CopyFS(crashed, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			k.Close()
			cfg.Dir = crashed
		}
		k = startKafka(t, cfg)
		client, admin := kafkaClient(t, k.Addr())
		_, before := bounds(t, admin, "t", 0)
		if before < 20 {
			t.Fatalf("%s the log ends at %d; it ended at 20 at least", how, before)
		}
		produce(client, 1, time.Now())
		if _, end := bounds(t, admin, "t", 0); end != before+1 {
			t.Errorf("%s the next record went to %d; want %d", how, end-1, before)
		}
		client.Close()
	}
	k.Close()
}

// What a protected group has not read is kept beyond both limits; the log is closed to new records until
// the group has caught up, and then takes them again.
func TestKafkaProtectsTheUnread(t *testing.T) {
	const limit = 2 << 20
	dir := t.TempDir()
	k := startKafka(t, embedded.KafkaConfig{Dir: dir, MaxBytes: limit, MaxAge: time.Hour, Protect: []string{"deliver", "not there yet"}, Interval: 20 * time.Millisecond})
	defer k.Close()
	client, admin := kafkaClient(t, k.Addr(), kgo.RecordDeliveryTimeout(time.Second))
	makeTopic(t, admin, "t", 1)
	makeTopic(t, admin, "other", 1)
	commit(t, admin, "deliver", "t", 0, 0)
	runKafka(t, k)
	produce := func(topic string, size int, at time.Time) error {
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		value := make([]byte, size)
		_, _ = rand.Read(value)
		return client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: value, Timestamp: at}).FirstErr()
	}
	if err := produce("t", 10, time.Now().Add(-800*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	within(t, "the full log is closed", func() bool { return produce("t", 128<<10, time.Time{}) != nil })
	start, end := bounds(t, admin, "t", 0)
	if start != 0 || end < limit/(128<<10) {
		t.Errorf("the log has the records [%d, %d); want all of them", start, end)
	}
	if err := produce("other", 10, time.Time{}); err != nil {
		t.Errorf("a topic that the group does not read is closed too: %v", err)
	}
	_, end = bounds(t, admin, "t", 0)
	commit(t, admin, "deliver", "t", 0, end)
	within(t, "it takes records again", func() bool { return produce("t", 10, time.Time{}) == nil })
	if start, _ := bounds(t, admin, "t", 0); start == 0 {
		t.Error("nothing was deleted, though all was read")
	}
}

func TestKafkaHasItsFolderToItself(t *testing.T) {
	dir := t.TempDir()
	k := startKafka(t, embedded.KafkaConfig{Dir: dir})
	if second, err := embedded.StartKafka(embedded.KafkaConfig{Dir: dir}); err == nil {
		second.Close()
		t.Error("two brokers on one folder")
	}
	k.Close()
	startKafka(t, embedded.KafkaConfig{Dir: dir}).Close()
}

func TestListenAddresses(t *testing.T) {
	for address, ok := range map[string]bool{
		"127.0.0.1:0": true, "localhost:0": true, "0.0.0.0:0": false, ":0": false, "192.0.2.1:9092": false, "nonsense": false,
	} {
		k, err := embedded.StartKafka(embedded.KafkaConfig{Dir: t.TempDir(), Listen: address})
		if (err == nil) != ok {
			t.Errorf("kafka on %q: %v; ok should be %t", address, err, ok)
		}
		if k != nil {
			k.Close()
		}
		r, err := embedded.StartRegistry(embedded.RegistryConfig{Dir: t.TempDir(), Listen: address})
		if (err == nil) != ok {
			t.Errorf("registry on %q: %v; ok should be %t", address, err, ok)
		}
		if r != nil {
			r.Close()
		}
	}
}

func TestKafkaOnAGivenPort(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	if k, err := embedded.StartKafka(embedded.KafkaConfig{Dir: t.TempDir(), Listen: address}); err == nil {
		k.Close()
		t.Error("it took a port that is in use")
	}
	ln.Close()
	k := startKafka(t, embedded.KafkaConfig{Dir: t.TempDir(), Listen: address})
	defer k.Close()
	if k.Addr() != address {
		t.Errorf("listens on %s; want %s", k.Addr(), address)
	}
	_, admin := kafkaClient(t, address)
	brokers, err := admin.ListBrokers(t.Context())
	if err != nil || len(brokers) != 1 || fmt.Sprintf("%s:%d", brokers[0].Host, brokers[0].Port) != address {
		t.Errorf("brokers %+v, %v; want one at %s", brokers, err, address)
	}
}
