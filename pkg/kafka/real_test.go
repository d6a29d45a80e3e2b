package kafka_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
)

// These tests need a real Kafka, which they may fill with topics of their own: what members of a group do that are
// killed or stopped is decided by its brokers' clocks.

// realBrokers are those of the Kafka to test against. Without one a developer's test is skipped, aloud, and CI's fails.
func realBrokers(t *testing.T) []string {
	t.Helper()
	list := os.Getenv("DOZAAR_TEST_KAFKA")
	if list == "" {
		if os.Getenv("CI_ENGINES") != "" {
			t.Fatal("DOZAAR_TEST_KAFKA names no brokers: in CI the tests against a real Kafka must run")
		}
		t.Skip("SKIPPED, NOT TESTED AGAINST A REAL KAFKA: set DOZAAR_TEST_KAFKA to its host:port to run this test")
	}
	return strings.Split(list, ",")
}

// memberVariable makes the test binary a member of the group that it names, in the topic that stands before it.
const memberVariable = "DOZAAR_TEST_KAFKA_MEMBER"

// TestMember is no test, but what a member's process does: it consumes, and prints what it does.
func TestMember(t *testing.T) {
	topic, group, found := strings.Cut(os.Getenv(memberVariable), "/")
	if !found {
		t.Skip("only as a process of another test")
	}
	say := func(format string, args ...any) { fmt.Printf("member: "+format+"\n", args...) }
	c, err := kafka.NewConsumer(kafka.ConsumerConfig{
		Config: kafka.Config{Brokers: realBrokers(t)}, Group: group, Topics: []string{topic}, CommitInterval: 200 * time.Millisecond,
	}, func(_ string, partition int32) kafka.Worker {
		say("has %d", partition)
		return kafka.InOrder(func(_ context.Context, records []kafka.Record) error {
			for _, r := range records {
				say("did %d %d", partition, r.Position.Offset)
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	say("ended: %v", c.Run(t.Context()))
}

// member is such a process.
type member struct {
	cmd *exec.Cmd
	pid int

	mu    sync.Mutex // guards what follows
	did   map[int32]map[int64]time.Time
	ended string
}

// realGroup is a group on a topic of its own.
type realGroup struct {
	t            *testing.T
	topic, group string
	client       *kgo.Client
	admin        *kadm.Client
	partitions   int32
}

func newRealGroup(t *testing.T, partitions int32) *realGroup {
	t.Helper()
	name := "test-" + chat.NewID().String()
	client, err := kgo.NewClient(kgo.SeedBrokers(realBrokers(t)...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	g := &realGroup{t: t, topic: name, group: name, client: client, admin: kadm.NewClient(client), partitions: partitions}
	g.create()
	t.Cleanup(func() { _, _ = g.admin.DeleteTopic(context.Background(), name) })
	return g
}

// create makes the topic, and the group's first offsets in it.
func (g *realGroup) create() {
	g.t.Helper()
	if _, err := g.admin.CreateTopic(g.t.Context(), g.partitions, 1, nil, g.topic); err != nil {
		g.t.Fatal(err)
	}
	var first kadm.Offsets
	for p := range g.partitions {
		first.AddOffset(g.topic, p, 0, -1)
	}
	within(g.t, time.Minute, "the first offsets are committed", func() bool {
		return g.admin.CommitAllOffsets(g.t.Context(), g.group, first) == nil
	})
}

// fill puts a record into every partition.
func (g *realGroup) fill() {
	g.t.Helper()
	for p := range g.partitions {
		if err := g.client.ProduceSync(g.t.Context(), &kgo.Record{Topic: g.topic, Partition: p, Value: []byte("x")}).FirstErr(); err != nil {
			g.t.Fatal(err)
		}
	}
}

func (g *realGroup) join() *member {
	g.t.Helper()
	m := &member{cmd: exec.Command(os.Args[0], "-test.run=^TestMember$", "-test.v"), did: map[int32]map[int64]time.Time{}}
	m.cmd.Env = append(os.Environ(), memberVariable+"="+g.topic+"/"+g.group)
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		g.t.Fatal(err)
	}
	if err := m.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	m.pid = m.cmd.Process.Pid
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			m.heard(lines.Text())
		}
	}()
	g.t.Cleanup(func() {
		_ = m.cmd.Process.Kill()
		<-read
		_ = m.cmd.Wait()
	})
	return m
}

func (m *member) heard(line string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if why, found := strings.CutPrefix(line, "member: ended: "); found {
		m.ended = why
	}
	fields := strings.Fields(line)
	if len(fields) != 4 || fields[1] != "did" {
		return
	}
	partition, err1 := strconv.Atoi(fields[2])
	offset, err2 := strconv.ParseInt(fields[3], 10, 64)
	if errors.Join(err1, err2) != nil {
		return
	}
	if m.did[int32(partition)] == nil {
		m.did[int32(partition)] = map[int64]time.Time{}
	}
	m.did[int32(partition)][offset] = time.Now()
}

// partitionsOf lists in how many partitions a member did an offset.
func (m *member) partitionsOf(offset int64) (n int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, offsets := range m.did {
		if _, done := offsets[offset]; done {
			n++
		}
	}
	return n
}

func (m *member) why() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ended
}

func (m *member) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(m.pid, s); err != nil {
		t.Fatal(err)
	}
}

// within is eventually with more patience: a machine may be busy.
func within(t *testing.T, patience time.Duration, what string, ok func() bool) (took time.Duration) {
	t.Helper()
	start := time.Now()
	for ; !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Since(start) > patience {
			t.Fatalf("never: %s", what)
		}
	}
	return time.Since(start)
}

// both starts two members that share the partitions and did the first offset.
func (g *realGroup) both() (a, b *member) {
	g.t.Helper()
	g.fill()
	a = g.join()
	within(g.t, time.Minute, "the first member works", func() bool { return a.partitionsOf(0) == g.partitions })
	b = g.join()
	for offset := int64(1); a.partitionsOf(offset-1) == g.partitions; offset++ {
		g.fill()
		within(g.t, time.Minute, "all is done", func() bool { return a.partitionsOf(offset)+b.partitionsOf(offset) >= g.partitions })
		if offset > 200 {
			g.t.Fatal("the second member gets nothing")
		}
		time.Sleep(100 * time.Millisecond)
	}
	return a, b
}

// end is the offset that the next fill has.
func (g *realGroup) end() int64 {
	g.t.Helper()
	ends, err := g.admin.ListEndOffsets(g.t.Context(), g.topic)
	if err != nil {
		g.t.Fatal(err)
	}
	end, _ := ends.Lookup(g.topic, 0)
	return end.Offset
}

// A member that is killed is missed for the session timeout and a moment: then another one does what it had.
func TestRealKilled(t *testing.T) {
	g := newRealGroup(t, 64)
	a, b := g.both()
	a.signal(t, syscall.SIGKILL)
	offset := g.end()
	g.fill()
	took := within(t, time.Minute, "the other member does everything", func() bool { return b.partitionsOf(offset) == g.partitions })
	t.Logf("a member that was killed was missed for %.1f s", took.Seconds())
}

// A member that was stopped for longer than its session comes back as a zombie, finds out, and works on.
func TestRealStopped(t *testing.T) {
	g := newRealGroup(t, 64)
	a, b := g.both()
	a.signal(t, syscall.SIGSTOP)
	offset := g.end()
	g.fill()
	took := within(t, time.Minute, "the other member does everything", func() bool { return b.partitionsOf(offset) == g.partitions })
	t.Logf("a member that was stopped was missed for %.1f s", took.Seconds())
	time.Sleep(max(0, 15*time.Second-took))
	a.signal(t, syscall.SIGCONT)
	within(t, time.Minute, "the member that was stopped works again", func() bool {
		g.fill()
		time.Sleep(200 * time.Millisecond)
		return a.partitionsOf(g.end()-1) > 0
	})
	if a.why() != "" || b.why() != "" {
		t.Errorf("a member ended: %q, %q", a.why(), b.why())
	}
}

// Who reads a topic that is deleted and made again must not take the new records for the old ones' successors.
func TestRealTopicMadeAgain(t *testing.T) {
	g := newRealGroup(t, 2)
	a, b := g.both()
	if _, err := g.admin.DeleteTopic(t.Context(), g.topic); err != nil {
		t.Fatal(err)
	}
	within(t, time.Minute, "the topic is gone", func() bool {
		topics, err := g.admin.ListTopics(t.Context(), g.topic)
		return err == nil && errors.Is(topics[g.topic].Err, kerr.UnknownTopicOrPartition)
	})
	g.create()
	for _, m := range []*member{a, b} {
		within(t, time.Minute, "the member stops", func() bool { return m.why() != "" })
		if !strings.Contains(m.why(), "dozaar topics") {
			t.Errorf("a member stops with %q, which names no command", m.why())
		}
	}
}
