package main

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gocql/gocql"
)

// storeSource is where the statements are that the floor copies.
const storeSource = "../../pkg/store/cassandra"

// storeStatements are all texts of CQL in the store's source, with single spaces.
func storeStatements(t *testing.T) []string {
	t.Helper()
	var all []string
	files, err := filepath.Glob(filepath.Join(storeSource, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil {
					all = append(all, oneLine(text))
				}
			}
			return true
		})
	}
	return all
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// hot are the statements by which messages are stored: every write of these tables that is neither a change of members
// nor an erasure.
var hot = regexp.MustCompile(`^(INSERT INTO|UPDATE) (messages|message_ids|heads|inbox)\b`)

var rare = regexp.MustCompile(`SET (member =|body_hash =|text = '')`)

// TestFloorWritesWhatTheStoreWrites fails when the store stores a message by other statements than the floor: then
// the floor is no longer one.
func TestFloorWritesWhatTheStoreWrites(t *testing.T) {
	var want, got []string
	for _, text := range storeStatements(t) {
		if hot.MatchString(text) && !rare.MatchString(text) && !slices.Contains(want, text) {
			want = append(want, text)
		}
	}
	for _, r := range storedRows() {
		got = append(got, oneLine(r.statement))
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		t.Errorf("the store writes\n  %s\nthe floor\n  %s", strings.Join(want, "\n  "), strings.Join(got, "\n  "))
	}
	for _, read := range []string{readByID, readInboxes} {
		if !slices.Contains(storeStatements(t), oneLine(read)) {
			t.Errorf("the store never asks %s", oneLine(read))
		}
	}
}

func TestStatementsHaveTheirValues(t *testing.T) {
	p := posted{seq: 1001, offset: 7, members: [1 + recipients]gocql.UUID{{1}, {2}, {3}}}
	for _, v := range variants() {
		list := v.statements(p)
		for _, s := range list {
			if strings.Count(s.text, "?") != len(s.args) {
				t.Errorf("%s: %d values for %s", v.name, len(s.args), s.text)
			}
		}
		if want := map[string]int{"message": 7, "merged": 6, "bare": 3, "batch": 7, "ordered": 7, "ordered batches": 7}[v.name]; len(list) != want {
			t.Errorf("%s: %d statements, want %d", v.name, len(list), want)
		}
	}
	ordered, _ := variantNamed("ordered")
	if steps := ordered.steps(p); len(steps) != 3 || len(steps[0]) != 3 || len(steps[1]) != 1 || len(steps[2]) != 1+recipients {
		t.Errorf("in the order of the rules: %+v", steps)
	}
	sum := 0
	for _, r := range storedRows() {
		if rows := r.args(p); len(rows) != r.each {
			t.Errorf("%s: %d rows, want %d", r.name, len(rows), r.each)
		}
		sum += r.each
	}
	if sum != 7 {
		t.Errorf("a message is %d rows", sum)
	}
	merged, _ := variantNamed("merged")
	if both := merged.statements(p)[3]; both.text != putBoth || both.args[4] != p.members[0] {
		t.Errorf("the sender's row is not the merged one: %+v", both)
	}
}

func TestTargets(t *testing.T) {
	s := &stage{plan: quickPlan(), results: newResults()}
	for round := range 3 {
		slow := 1.0
		if round == 1 { // everything was slow then
			slow = 10
		}
		for _, r := range s.plan.rates {
			s.results.add(r, "cpu own", 150*slow)
			for _, name := range floors {
				s.results.add(r, "floor "+name+" client", 25*slow)
				s.results.add(r, "floor "+name+" p50", 2*slow)
				s.results.add(r, "floor "+name+" rate", float64(r))
			}
			s.results.add(r, "pipeline p50", 12.1*slow)
			s.results.add(r, "pipeline rate", 500)
		}
		s.results.values[0]["floor message rate"][round] = 1000
	}
	s.plan.rates = append(s.plan.rates, 50) // a rate with which one floor does not keep up
	s.results.values[50] = maps.Clone(s.results.values[500])
	s.results.values[50]["floor kafka rate"] = []float64{30}
	text := s.targets()
	for _, want := range []string{
		"| 1.50 | saturated | ≤ 1.5 met |", "| 1.51 | 500/s | ≤ 1.5 MISSED |", "| 0.50 | saturated | ≥ 0.6 MISSED |",
		"| 1.51 | 2000/s | ≤ 1.5 MISSED; pipeline reached 500/s |",
		"| 1.50 | 2000/s | ≤ 1.5 MISSED; pipeline reached 500/s |", "| 1.50 | 50/s | ≤ 1.5 undecided; floor kafka reached 30/s |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if ratio, ok := s.results.ratio(500, "pipeline p50", "floor nothing p50"); ok {
		t.Errorf("something was compared with nothing: %v", ratio)
	}
}

func TestReportHasNoHoles(t *testing.T) {
	s := &stage{plan: fullPlan(), results: newResults()}
	s.results.add(500, "pipeline p50", 3)
	for _, text := range []string{s.report(), ranges(s.results, s.plan), s.machine()} {
		if strings.Contains(text, "%!") || strings.Contains(text, "NaN") {
			t.Error(text)
		}
	}
}

func TestFloorInsists(t *testing.T) {
	asked := 0
	if err := insist(func() error {
		if asked++; asked < 3 {
			return fs.ErrInvalid
		}
		return nil
	}); err != nil || asked != 3 {
		t.Errorf("after %d: %v", asked, err)
	}
	if err := insist(func() error { return fs.ErrInvalid }); err == nil {
		t.Error("what always fails was taken for done")
	}
}

func TestWhatIsWaitedFor(t *testing.T) {
	text := `# TYPE dozaar_deliver_step_seconds histogram
dozaar_deliver_step_seconds_bucket{outcome="ok",step="put_heads",le="+Inf"} 4
dozaar_deliver_step_seconds_sum{outcome="error",step="put_heads"} 9
dozaar_deliver_step_seconds_sum{outcome="ok",step="put_heads"} 0.5
dozaar_deliver_step_seconds_count{outcome="ok",step="put_heads"} 4
dozaar_relay_lag_seconds_sum 1e-3
dozaar_relay_lag_seconds_count 2
`
	for _, c := range []struct {
		wait wait
		want total
	}{
		{wait{name: "dozaar_deliver_step_seconds", labels: `{outcome="ok",step="put_heads"}`}, total{0.5, 4}},
		{wait{name: "dozaar_relay_lag_seconds"}, total{0.001, 2}},
		{wait{name: "dozaar_nothing"}, total{}},
	} {
		if got, err := totalOf(strings.NewReader(text), c.wait); err != nil || got != c.want {
			t.Errorf("%+v: %+v, %v", c.wait, got, err)
		}
	}
	if _, err := totalOf(strings.NewReader("a_sum x\n"), wait{name: "a"}); err == nil {
		t.Error("what is no number was read as one")
	}
	s := &stage{plan: quickPlan(), results: newResults()}
	before, now := make([]total, len(waits())), make([]total, len(waits()))
	before[2], now[2] = total{1, 100}, total{1.2, 200}
	s.noteWaits(500, before, now)
	if text := s.waited(); !strings.Contains(text, "| · look-up by id |  | 2.00 |") {
		t.Error(text)
	}
}

func TestPageHasItsMarks(t *testing.T) {
	page, err := os.ReadFile("../../" + pagePath)
	if err != nil || bytes.Count(page, []byte("<!-- measured: ")) != 2 {
		t.Error(err)
	}
}

func TestFloorCommandsAreReadAsTheyAreWritten(t *testing.T) {
	in, err := json.Marshal(floorCommand{Do: "open", Records: []record{{Partition: 3, Key: []byte{0xff}, Headers: [][2]string{{"a", "b"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	var back floorCommand
	if err := json.Unmarshal(in, &back); err != nil || !bytes.Equal(back.Records[0].Key, []byte{0xff}) || back.Records[0].Headers[0][1] != "b" {
		t.Errorf("%+v, %v", back, err)
	}
}
