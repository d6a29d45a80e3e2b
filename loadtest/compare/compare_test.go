package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	r := &results{}
	for i, value := range []float64{10, 20, 90} { // the round's ratio counts, not the medians' one
		r.round = i
		r.add(dozaar, "paced cpu", value)
		r.add(nest, "paced cpu", value*[]float64{2, 4, 8}[i])
		r.add(nest, "paced lost", 1)
		r.add(nest, "room lost", 1)
		if i != 1 { // its second round came to nothing
			r.add(node, "paced cpu", value*2)
		}
	}
	r.add(dozaar, "saturated rate", 3000)
	r.add(nest, "saturated rate", 1000)
	text := report(fullPlan(), systems(), r)
	for _, want := range []string{
		"| own CPU a message, marketplace at equal load | 0.25 | dozaar ÷ nest | ≤ 0.35 met |",
		"| messages a second, saturated | 3.00 | dozaar ÷ nest | ≥ 3 met |",
		"| own CPU a message, marketplace at equal load; the rival stores nothing | 0.50 | dozaar ÷ node |",
		"| · that did not come to all |  |  | 6 |  |  |",
		"| **own CPU, µs a message** | **20** | **100** | **80** |  |  |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.Contains(text, "%!") || strings.Contains(text, "NaN") || strings.Contains(text, "dozaar ÷ centrifuge") {
		t.Error(text)
	}
}

func TestReportOthers(t *testing.T) {
	r := &results{}
	r.add(node, "deploy lost", 7)
	r.add(node, "deploy lost", 8)
	r.add(dozaar, "slow cut", 20)
	r.add(dozaar, "storm seconds", 5.7)
	text := reportOthers(fullPlan(), systems(), r)
	for _, want := range []string{
		"| · that did not come to all |  | 15 |  |  |  |",
		"| slow readers that were cut off, of 20 in each round | 20 |",
		"| until the last one is back and has joined, s | 5.7 |",
		"4 rooms of 50, 5 of whom read 2000 bytes a second",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.Contains(text, "%!") || strings.Contains(text, "NaN") {
		t.Error(text)
	}
}

func TestPlots(t *testing.T) {
	r := &results{}
	r.add(dozaar, "paced p99", 12)
	r.add(node, "paced p99", 3)
	r.add(node, "paced p99", 5)
	text := plots(fullPlan(), systems(), r)
	for _, want := range []string{">12 ms<", ">4 ms<", ">node<", "memory of a silent socket"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.Contains(text, "NaN") || strings.Contains(text, ">nest<") {
		t.Error(text)
	}
}

func TestPageHasItsMarks(t *testing.T) {
	text, err := os.ReadFile("../../" + page)
	if err != nil || strings.Count(string(text), "<!-- measured: ") != 2 || strings.Count(string(text), "<!-- others: ") != 2 {
		t.Error(err)
	}
}

// TestFullPublishesBoth: what FULL=1 measures goes into both parts of the page, the profile and the picture.
func TestFullPublishesBoth(t *testing.T) {
	t.Setenv("FULL", "1")
	t.Setenv("QUICK", "")
	chosen, p, publish, err := chooses(strings.Join(names(systems()), ","), "", 0)
	if err != nil || !publish || p.rounds != 5 || len(p.scenarios) != len(scenarios()) {
		t.Fatalf("%d rounds of %d scenarios, published: %v, %v", p.rounds, len(p.scenarios), publish, err)
	}
	pages := map[string]string{}
	for _, name := range []string{page, profile} {
		text, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		pages[name] = string(text)
	}
	t.Chdir(t.TempDir())
	if err := os.MkdirAll(filepath.Dir(page), 0o750); err != nil {
		t.Fatal(err)
	}
	for name, text := range pages {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := &results{heap: "what a gateway holds\n", cpu: []string{"what deliver does\n"}}
	r.add(dozaar, "paced p99", 98765)
	r.add(dozaar, "storm seconds", 43210)
	if err := tell(p, chosen, r, publish); err != nil {
		t.Fatal(err)
	}
	for name, words := range map[string][]string{page: {"98765.00", "43210.0"}, profile: {"what a gateway holds", "what deliver does"}, picture: {"<svg"}} {
		text, err := os.ReadFile(name)
		for _, word := range words {
			if err != nil || !strings.Contains(string(text), word) {
				t.Errorf("%q is not in %s: %v", word, name, err)
			}
		}
	}
}

// Rivals are compared in versions that everybody gets.
func TestPeersArePinned(t *testing.T) {
	for _, peer := range []string{node, nest} {
		text, err := os.ReadFile("../peers/" + peer + "/package.json")
		if err != nil {
			t.Fatal(err)
		}
		var p struct{ Dependencies, OptionalDependencies, DevDependencies map[string]string }
		if err := json.Unmarshal(text, &p); err != nil {
			t.Fatal(err)
		}
		for _, all := range []map[string]string{p.Dependencies, p.OptionalDependencies, p.DevDependencies} {
			for name, version := range all {
				if strings.Trim(version, "0123456789.") != "" {
					t.Errorf("%s: %s is %s", peer, name, version)
				}
			}
		}
		lock, err := os.ReadFile("../peers/" + peer + "/package-lock.json")
		if err != nil || !strings.Contains(string(lock), `"integrity"`) || strings.Contains(string(lock), `"resolved"`) {
			t.Errorf("%s: the lock file has no checksums, or addresses: %v", peer, err)
		}
	}
}

func TestCommandRefusesWhatIsNotThere(t *testing.T) {
	if err := command([]string{"-rate", "NaN"}); err == nil || !strings.Contains(err.Error(), "-rate") {
		t.Error(err)
	}
	if err := command([]string{"-systems", "dozaar,abacus"}); err == nil || !strings.Contains(err.Error(), "centrifuge") {
		t.Error(err)
	}
}
