package e2e

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/dozaar/dozaar/schemas"
)

// TestLineage has everything happen that puts a record somewhere, and holds topics.yaml, from which the lineage is drawn,
// against what the processes say that they produced and consumed, and against the topics that there are.
func TestLineage(t *testing.T) {
	refusing := httptest.NewServer(http.NotFoundHandler()) // so that notify has something for the dead letters
	t.Cleanup(refusing.Close)
	p, env := readable(t, "DOZAAR_NOTIFY_DELAY=1s", "DOZAAR_NOTIFY_WEBHOOK_URL="+refusing.URL, "DOZAAR_NOTIFY_WEBHOOK_SECRET="+secret)
	gateway := p.gateways[0]
	bea, sam := newPerson("Bea"), newPerson("Sam")
	room := gateway.conversation(bea, sam)
	said := &sales{minutes: map[string]int{}}
	said.say(gateway, bea, room, "hello")
	reader := gateway.connect(sam)
	if answer := reader.ask("mark:read", `{"messageId":"`+gateway.firstMessage(room)+`"}`); !answer.OK {
		t.Fatalf("%+v", answer)
	}
	reader.close() // presence tells that Sam went
	brokers := strings.TrimPrefix(env[slices.IndexFunc(env, func(pair string) bool { return strings.HasPrefix(pair, "DOZAAR_KAFKA_BROKERS=") })], "DOZAAR_KAFKA_BROKERS=")
	k := newLogReader(t, brokers)
	k.produce(&kgo.Record{Topic: "chat.messages", Key: []byte(room), Value: []byte("this is no Avro")})
	gateway.api("DELETE", "/v1/users/"+bea.ID, nil, 202, &struct{}{})

	topics, err := schemas.Topics()
	if err != nil {
		t.Fatal(err)
	}
	known, err := kadm.NewClient(k.client).ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var there, drawn []string
	for name := range known {
		if strings.HasPrefix(name, "chat.") {
			there = append(there, name)
		}
	}
	produced, consumed := map[string]map[string]bool{}, map[string]map[string]bool{} // by role, topic
	note := func(into map[string]map[string]bool, roles []string, topic string) {
		for _, role := range roles {
			if into[role] == nil {
				into[role] = map[string]bool{}
			}
			into[role][topic] = true
		}
	}
	for _, topic := range topics {
		drawn = append(drawn, topic.Name)
		note(produced, topic.ProducedBy, topic.Name)
		note(consumed, topic.ConsumedBy, topic.Name)
	}
	slices.Sort(there)
	slices.Sort(drawn)
	if !slices.Equal(there, drawn) {
		t.Errorf("there are the topics %v, drawn are %v", there, drawn)
	}

	archive := filepath.Join(t.TempDir(), "archive")
	want := flow{produced: produced, consumed: consumed}.of(p)
	var got flow
	for end := time.Now().Add(patience); ; time.Sleep(time.Second) {
		// notify begins with what is sent once it is there
		said.say(gateway, sam, gateway.conversation(sam, newPerson("Away")), "are you there?")
		got = newFlow(p)
		if got.equal(want) || time.Now().After(end) {
			break
		}
	}
	for what, pair := range map[string][2]map[string]map[string]bool{"produced": {got.produced, want.produced}, "consumed": {got.consumed, want.consumed}} {
		for _, role := range slices.Sorted(maps.Keys(pair[1])) {
			if is, drawn := slices.Sorted(maps.Keys(pair[0][role])), slices.Sorted(maps.Keys(pair[1][role])); !slices.Equal(is, drawn) {
				t.Errorf("%s %s %v, drawn is %v", role, what, is, drawn)
			}
		}
	}
	cmd := exec.CommandContext(t.Context(), built(t), "archive", "--dir", archive, "--once")
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(archive, "event=*", "day=*", "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	archived := map[string]bool{}
	for _, path := range files {
		topic, _, _ := strings.Cut(filepath.Base(path), "-")
		archived[topic] = true
	}
	if !maps.Equal(archived, consumed["archive"]) {
		t.Errorf("archived are %v, drawn are %v", archived, consumed["archive"])
	}
}

// flow is which topics each role has produced to and consumed.
type flow struct{ produced, consumed map[string]map[string]bool }

// newFlow is what the processes' metrics tell. Where one process is every role, all is done by `all`.
func newFlow(p *product) flow {
	f := flow{map[string]map[string]bool{}, map[string]map[string]bool{}}
	for role, processes := range map[string][]*process{"gateway": p.gateways, "deliver": p.delivers, "presence": p.presences, "notify": p.notifies} {
		role = roleOf(p, role)
		f.produced[role], f.consumed[role] = map[string]bool{}, map[string]bool{}
		for _, one := range processes {
			for line := range strings.SplitSeq(get(p.t, "http://"+one.admin+"/metrics"), "\n") {
				name, value, _ := strings.Cut(line, " ")
				into := f.produced[role]
				if strings.HasPrefix(name, "dozaar_kafka_processed_records_total{") {
					into = f.consumed[role]
				} else if !strings.HasPrefix(name, "dozaar_kafka_produced_records_total{") {
					continue
				}
				_, topic, _ := strings.Cut(name, `topic="`)
				topic, _, _ = strings.Cut(topic, `"`)
				if value != "0" {
					into[topic] = true
				}
			}
		}
	}
	return f
}

func roleOf(p *product, role string) string {
	if p.gateways[0] == p.delivers[0] {
		return "all"
	}
	return role
}

// of is what is drawn, as the product's shape lets it be told apart; the archive is no part of it.
func (f flow) of(p *product) flow {
	merged := flow{map[string]map[string]bool{}, map[string]map[string]bool{}}
	for _, role := range []string{"gateway", "deliver", "presence", "notify"} {
		as := roleOf(p, role)
		for _, pair := range [][2]map[string]map[string]bool{{f.produced, merged.produced}, {f.consumed, merged.consumed}} {
			if pair[1][as] == nil {
				pair[1][as] = map[string]bool{}
			}
			maps.Copy(pair[1][as], pair[0][role])
		}
	}
	return merged
}

func (f flow) equal(other flow) bool {
	same := func(a, b map[string]map[string]bool) bool {
		return maps.EqualFunc(a, b, maps.Equal[map[string]bool, map[string]bool])
	}
	return same(f.produced, other.produced) && same(f.consumed, other.consumed)
}

// firstMessage is the id of a conversation's first message, once that is stored.
func (p *process) firstMessage(conversation string) string {
	p.t.Helper()
	var page struct{ Messages []struct{ ID string } }
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		p.api("GET", "/v1/conversations/"+conversation+"/messages?afterSeq=0", nil, 200, &page)
		if len(page.Messages) > 0 {
			return page.Messages[0].ID
		}
		if time.Now().After(end) {
			p.t.Fatal("there is no message")
		}
	}
}
