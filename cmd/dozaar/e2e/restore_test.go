package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/dozaar/dozaar/pkg/embedded"
)

// The runbook's "Cassandra restored", rehearsed on the embedded store: it is put back to a snapshot, the group to before
// it. Every message has the number and the id that it had, and the next one a number that nobody had.
func TestStoreRestored(t *testing.T) {
	if realEngines() {
		t.Skip("the snapshot is a copy of the embedded store's files")
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
	for end := time.Now().Add(startPatience); len(p.history(c.id)) < len(before) && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
	}
	c = p.goOn(bea, sam, c.id)
	c.say("f")
	after := p.history(c.id)
	if len(after) != 6 || fmt.Sprint(after[:5]) != fmt.Sprint(before) || after[5].Seq != 6 {
		t.Errorf("before it was restored the history was %v, afterwards %v", before, after)
	}
	c.settle(p)
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
