package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/dozaar/dozaar/pkg/embedded"
)

// A store is put back to a snapshot, here the embedded one, and the group to before it. Every message has the number and
// the id that it had, and the next one a number that nobody had.
func TestStoreRestored(t *testing.T) {
	if realEngines() {
		t.Skip("the snapshot is a copy of the embedded store's files: TestCassandraRestored has a real one")
	}
	data := t.TempDir()
	p := start(t, "DOZAAR_DATA_DIR="+data)
	store, snapshot := filepath.Join(data, "store"), filepath.Join(data, "snapshot")
	bea, sam := newPerson("Bea"), newPerson("Sam")
	c := p.talk(bea, sam, "")
	for _, text := range []string{"a", "b", "c"} {
		c.say(text)
	}
	p.stop()
	copyOf(t, store, snapshot)
	p.run()
	c = p.goOn(bea, sam, c.id)
	c.say("d")
	c.say("e")
	before := p.history(c.id)
	p.stop()

	if err := os.RemoveAll(store); err != nil {
		t.Fatal(err)
	}
	copyOf(t, snapshot, store)
	rewind(t, filepath.Join(data, "kafka"))

	p.run()
	p.wait(c.id, len(before))
	c = p.goOn(bea, sam, c.id)
	c.say("f")
	after := p.history(c.id)
	if len(after) != 6 || fmt.Sprint(after[:5]) != fmt.Sprint(before) || after[5].Seq != 6 {
		t.Errorf("before it was restored the history was %v, afterwards %v", before, after)
	}
	c.settle(p)
}

// The same on a real Cassandra, step by step as the runbook has it: nodetool's snapshot, a node that has lost the
// tables, nodetool's import, the group set back. Before that, nothing gives a number.
func TestCassandraRestored(t *testing.T) {
	engines := ownEngines(t)
	if testing.Short() {
		t.Skip("it takes two minutes: TestStoreRestored is of the embedded store")
	}
	if engines.nodes("cassandra") != 1 {
		t.Skip("a snapshot is of one node")
	}
	engines.restored()
	keyspace := time.Now().Format("restored_0102150405") // of its own, with a group of its own: others go on
	env := append(engineSettings(), "DOZAAR_CASSANDRA_KEYSPACE="+keyspace)
	dozaar := func(arg ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), built(t), arg...)
		cmd.Env = append(os.Environ(), env...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("dozaar %v: %v\n%s", arg, err, out)
		}
		return string(out)
	}
	dozaar("migrate")
	dozaar("topics", "apply", "--accept-unread")
	p := roles(t, 1, 1, nil, []string{env[len(env)-1]})
	p.run()
	bea, sam := newPerson("Bea"), newPerson("Sam")
	c := p.talk(bea, sam, "")
	c.send("a", newPerson("x").ID)
	p.wait(c.id, 1) // the group is new: first it reads all that other tests have said
	c = p.goOn(bea, sam, c.id)
	c.say("b")
	c.say("c")
	before := time.Now()
	t.Log("snapshot")
	engines.sh("nodetool", "snapshot", "-t", "daily", keyspace)
	backup := t.TempDir()
	tables := engines.tables(keyspace)
	for table, folder := range tables {
		copyOf(t, filepath.Join(folder, "snapshots", "daily"), filepath.Join(backup, table))
	}
	c.say("d")
	c.say("e")
	late := p.talk(bea, sam, "") // of a conversation that was made after the snapshot, Cassandra alone knew
	late.say("a")
	heard := [][]message{p.history(c.id), p.history(late.id)}
	p.stop()

	t.Log("the tables are lost")
	engines.sh("nodetool", "drain") // or the commit log would bring back what is lost now
	engines.sh("stop", "cassandra-1")
	for _, folder := range tables {
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
	}
	engines.sh("start", "cassandra-1")
	t.Log("the snapshot is put back")
	for table := range tables {
		folder := filepath.Join(backup, table)
		if rows, _ := filepath.Glob(filepath.Join(folder, "*-Data.db")); len(rows) > 0 {
			engines.sh("nodetool", "import", "--copy-data", keyspace, table, folder)
		}
	}

	t.Log("deliver refuses")
	deliver := p.delivers[0]
	deliver.begin()
	if err := deliver.waitReady(startPatience); err == nil || !strings.Contains(err.Error(), "run `dozaar topics rewind --to TIME`") {
		t.Fatalf("%v; want a refusal that names the command", err)
	}
	t.Log("the group is set back")
	dozaar("topics", "rewind", "--to", before.UTC().Format(time.RFC3339))
	p.run()
	p.gateways[0].conversationAs(late.id, bea, sam) // as the marketplace's backend does
	for i, id := range []string{c.id, late.id} {
		p.wait(id, len(heard[i]))
		again := p.goOn(bea, sam, id)
		again.say("new")
		again.settle(p)
		if got := p.history(id); len(got) != len(heard[i])+1 || fmt.Sprint(got[:len(heard[i])]) != fmt.Sprint(heard[i]) {
			t.Errorf("before it was restored the history was %v, afterwards %v", heard[i], got)
		}
	}
}

// wait returns when a conversation's history has that many messages, or after a while.
func (p *product) wait(conversation string, messages int) {
	p.t.Helper()
	for end := time.Now().Add(startPatience); len(p.history(conversation)) < messages && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
	}
}

// tables are a keyspace's tables with their folders, on the one node.
func (s engineSet) tables(keyspace string) map[string]string {
	s.t.Helper()
	found, err := filepath.Glob(filepath.Join(os.Getenv("DOZAAR_ENGINES_DIR"), "data", "cassandra-1", "data", keyspace, "*"))
	if err != nil || len(found) == 0 {
		s.t.Fatal(found, err)
	}
	tables := map[string]string{}
	for _, folder := range found {
		table, _, _ := strings.Cut(filepath.Base(folder), "-")
		tables[table] = folder
	}
	return tables
}

func copyOf(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// rewind sets every group back to the beginning of every log: before any snapshot.
func rewind(t *testing.T, dir string) {
	t.Helper()
	broker, err := embedded.StartKafka(embedded.KafkaConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	groups, err := admin.ListGroups(t.Context())
	if err != nil || len(groups) == 0 {
		t.Fatal(groups, err)
	}
	for _, group := range groups.Groups() {
		committed, err := admin.FetchOffsets(t.Context(), group)
		if err != nil {
			t.Fatal(err)
		}
		starts, err := admin.ListStartOffsets(t.Context(), committed.Offsets().TopicsSet().Topics()...)
		if err != nil {
			t.Fatal(err)
		}
		if err := admin.CommitAllOffsets(t.Context(), group, starts.Offsets()); err != nil {
			t.Fatal(err)
		}
	}
}
