package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// fenced is the first block of a language in a document that has some words in it.
func fenced(t *testing.T, document, language, words string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../..", document))
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split(string(text), "\n```"+language+"\n")[1:] {
		if code, _, closed := strings.Cut(block, "\n```"); closed && strings.Contains(code, words) {
			return code
		}
	}
	t.Fatalf("%s has no block of %s with %q", document, language, words)
	return ""
}

// readable is the product with a Kafka and a registry that others reach, and where they are.
func readable(t *testing.T, extra ...string) (p *product, env []string) {
	t.Helper()
	if realEngines() {
		return start(t, extra...), engineSettings()
	}
	brokers, registry := freeAddress(t), freeAddress(t)
	p = start(t, append(extra, "DOZAAR_EMBEDDED_KAFKA="+brokers, "DOZAAR_EMBEDDED_REGISTRY="+registry)...)
	return p, []string{"DOZAAR_KAFKA_BROKERS=" + brokers, "DOZAAR_SCHEMA_REGISTRY_URL=http://" + registry}
}

// answerTime is a row of the README's query.
type answerTime struct {
	Seller, Day   string
	Conversations int
	Seconds       float64
}

// sales are conversations in which sellers answered, and what is to come out of them.
type sales struct {
	messages int
	minutes  map[string]int
	want     []answerTime
}

// say sends a message over HTTP and gives the time that it was accepted at.
func (s *sales) say(p *process, who person, conversation, text string) time.Time {
	p.t.Helper()
	var sent struct{ CreatedAt time.Time }
	p.apiAs(who, http.MethodPost, "/v1/conversations/"+conversation+"/messages", object{"message": text}, http.StatusCreated, &sent)
	s.messages++
	s.minutes[sent.CreatedAt.UTC().Format("2006-01-02 15:04")]++
	return sent.CreatedAt
}

func (p *process) sell() *sales {
	p.t.Helper()
	s := &sales{minutes: map[string]int{}}
	for i := range 2 {
		seller := newPerson(fmt.Sprintf("seller %d", i))
		took := map[string][]float64{}
		for j := range 3 {
			buyer := newPerson("buyer")
			var made struct{ ID string }
			p.api(http.MethodPost, "/v1/conversations", object{"members": []object{
				{"userId": buyer.ID, "username": buyer.Username, "role": "buyer"}, {"userId": seller.ID, "username": seller.Username, "role": "seller"},
			}}, http.StatusCreated, &made)
			asked := s.say(p, buyer, made.ID, "is it still there?")
			s.say(p, buyer, made.ID, "hello?")
			time.Sleep(time.Duration(20+60*j+30*i) * time.Millisecond)
			answered := s.say(p, seller, made.ID, "it is")
			s.say(p, seller, made.ID, "and will be")
			day := asked.UTC().Format(time.DateOnly)
			took[day] = append(took[day], answered.Sub(asked).Seconds())
		}
		for day, times := range took {
			slices.Sort(times)
			median := (times[(len(times)-1)/2] + times[len(times)/2]) / 2
			s.want = append(s.want, answerTime{seller.ID, day, len(times), median})
		}
	}
	return s
}

// published waits until delivers have published as many messages, each at least once.
func (p *product) published(messages int) {
	p.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		n := 0.0
		for _, d := range p.delivers {
			n += d.metric(`dozaar_kafka_produced_records_total{topic="chat.messages.stored"}`)
		}
		if int(n) >= messages {
			return
		}
		if time.Now().After(end) {
			p.t.Fatalf("%v of %d messages are published", n, messages)
		}
	}
}

// TestDataTeams does what the README and docs/data.md tell a data engineer to do, with their programs as they stand there, and
// compares the numbers with what was really said.
func TestDataTeams(t *testing.T) {
	python := os.Getenv("DOZAAR_PYTHON")
	if python == "" {
		t.Fatal("DOZAAR_PYTHON must name a Python with python/requirements.txt installed: run `make test`")
	}
	p, env := readable(t)
	sold := p.gateways[0].sell()
	p.published(sold.messages)
	run := func(t *testing.T, dir string, name string, arg ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, name, arg...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
		var complaints strings.Builder
		cmd.Stderr = &complaints
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s\n%s", name, err, out, complaints.String())
		}
		return string(out)
	}
	perMinute := func(t *testing.T, printed string) {
		t.Helper()
		got, all := map[string]int{}, 0
		for line := range strings.Lines(printed) {
			var day, minute string
			var n int
			if _, err := fmt.Sscan(line, &day, &minute, &n); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			got[day+" "+minute] = n
			all += n
		}
		if !realEngines() && !reflect.DeepEqual(got, sold.minutes) || all < sold.messages {
			t.Errorf("messages per minute %v; want %v", got, sold.minutes)
		}
	}
	dir := t.TempDir()
	t.Run("Python", func(t *testing.T) {
		perMinute(t, run(t, dir, python, "-c", fenced(t, "docs/data.md", "python", "confluent_kafka")))
	})
	t.Run("Go", func(t *testing.T) {
		program := filepath.Join(dir, "main.go")
		if err := os.WriteFile(program, []byte(fenced(t, "docs/data.md", "go", "kgo.NewClient")), 0o600); err != nil {
			t.Fatal(err)
		}
		perMinute(t, run(t, ".", "go", "run", program)) // with this module's versions
	})
	t.Run("SQL", func(t *testing.T) {
		command := fenced(t, "README.md", "sh", "bin/dozaar archive")
		for range 2 { // the second time there is nothing to do
			run(t, dir, built(t), append(strings.Fields(command)[1:2], "--dir", "data/archive", "--once")...)
		}
		const ask = `import duckdb, json, sys
rows = duckdb.sql(sys.argv[1]).fetchall()
print(json.dumps([dict(seller=str(s), day=str(d), conversations=n, seconds=float(t)) for s, d, n, t in rows]))`
		var got []answerTime
		printed := run(t, dir, python, "-c", ask, fenced(t, "README.md", "sql", "median"))
		if err := json.Unmarshal([]byte(printed), &got); err != nil {
			t.Fatalf("%s: %v", printed, err)
		}
		ours := slices.DeleteFunc(slices.Clone(got), func(a answerTime) bool {
			return !slices.ContainsFunc(sold.want, func(w answerTime) bool { return w.Seller == a.Seller })
		})
		near := func(a, b answerTime) bool {
			return a.Seller == b.Seller && a.Day == b.Day && a.Conversations == b.Conversations && a.Seconds > b.Seconds-0.0011 && a.Seconds < b.Seconds+0.0011
		}
		for _, want := range sold.want {
			if !slices.ContainsFunc(ours, func(a answerTime) bool { return near(a, want) }) {
				t.Errorf("%+v is not among %+v", want, got)
			}
		}
		if len(ours) != len(sold.want) {
			t.Errorf("%d rows; want %d", len(ours), len(sold.want))
		}
	})
}
