package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/loadtest/bench"
)

func TestRatioIsOfRounds(t *testing.T) {
	r := make(results)
	for i := range 3 { // in the second round everything was slow
		slow := 1.0
		if i == 1 {
			slow = 10
		}
		r.add(flood, "layer", slow)
		r.add(flood, "node", 4*slow)
	}
	ratio, ok := r.ratio(flood, "layer", "node")
	if !ok || ratio != 0.25 || flood.verdict(ratio) != "≤ 0.25 met" || flood.verdict(0.26) != "≤ 0.25 MISSED" {
		t.Errorf("%v %v %q %q", ratio, ok, flood.verdict(ratio), flood.verdict(0.26))
	}
	if connects.verdict(2.9) != "≥ 3 MISSED" {
		t.Error(connects.verdict(2.9))
	}
}

func TestTitles(t *testing.T) {
	for _, m := range allMetrics {
		if title := m.title(fullPlan()); strings.Contains(title, "%") {
			t.Errorf("%q", title)
		}
	}
}

func TestNarrow(t *testing.T) {
	p := fullPlan()
	if err := p.narrow("layer,floor", "paced", 3); err != nil || p.publish || p.rounds != 3 || len(p.servers) != 2 || !p.has("paced") || p.has("flood") {
		t.Errorf("%+v, %v", p, err)
	}
	if report := table(p, results{paced: {"layer": {1}, "floor": {2}}}); strings.Count(report, "\n") != 3 {
		t.Errorf("not only what was measured is told:\n%s", report)
	}
	for _, wrong := range [][2]string{{"nodes", ""}, {"", "echo"}} {
		if p := fullPlan(); p.narrow(wrong[0], wrong[1], 0) == nil {
			t.Errorf("%v was taken", wrong)
		}
	}
}

func TestPageKeepsItsWords(t *testing.T) {
	const begin, end = "<!-- storms: begin -->\n", "<!-- storms: end -->\n"
	got, err := bench.Between("before\n"+begin+"old\n"+end+"after\n", stormMarks, "new\n")
	if want := "before\n" + begin + "\nnew\n\n" + end + "after\n"; err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := bench.Between("no marks", stormMarks, "new"); err == nil {
		t.Error("a page without marks was written")
	}
}

// TestServersDoTheSame lets the client do everything it does to each of the servers in Go.
func TestServersDoTheSame(t *testing.T) {
	for _, name := range []string{"layer", "library", "floor"} {
		t.Run(name, func(t *testing.T) {
			handler, err := serverNamed(name)
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(handler)
			defer server.Close()
			commands := []command{
				{Do: "connect", Address: strings.TrimPrefix(server.URL, "http://"), Bare: name == "floor", Count: 5},
				{Do: "join"},
				{Do: "echo", Conns: 2, Window: 1, Count: 10},
				{Do: "echo", Conns: 5, Window: 4, Count: 100},
				{Do: "room", Window: 3, Count: 20},
				{Do: "room", EverySec: 0.001, Count: 5},
				{Do: "leave"},
			}
			var in, out bytes.Buffer
			for _, c := range commands {
				if err := json.NewEncoder(&in).Encode(c); err != nil {
					t.Fatal(err)
				}
			}
			err = serveLoad(&in, &out)
			if name == "library" && errors.Is(err, errUnanswered) { // a fault of its own: it answers a CONNECT before it listens
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			var open connected
			var empty struct{}
			var flooded, paced said
			answers := json.NewDecoder(&out)
			for _, into := range []any{&open, &empty, &empty, &empty, &flooded, &paced, &empty} {
				if err := answers.Decode(into); err != nil {
					t.Fatal(err)
				}
			}
			if name == "library" && open.Hung > 0 { // a fault of its own, which the page tells
				t.Logf("%d of 5 connections of the library hung", open.Hung)
			} else if open.Hung > 0 {
				t.Errorf("%d connections hung", open.Hung)
			}
			if open.Open+open.Hung != 5 || flooded.Deliveries != 20*open.Open || flooded.Lost != 0 || paced.Deliveries != 5*open.Open {
				t.Errorf("%+v %+v %+v", open, flooded, paced)
			}
			if err := answers.Decode(&empty); err != io.EOF {
				t.Errorf("more was answered: %v", err)
			}
		})
	}
}

// TestStorms lets the attacker do everything it does to the guarded server, and then a witness in, as soon as there are
// handshakes for it again.
func TestStorms(t *testing.T) {
	for _, storm := range storms()[1:] {
		handler, err := serverNamed("guarded")
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(handler)
		address := strings.TrimPrefix(server.URL, "http://")
		did, err := new(load).storm(command{Address: address, Kind: storm.kind, PerSec: storm.perSec, ForSec: 0.3})
		if err != nil {
			t.Errorf("%+v: %v", storm, err)
		}
		if storm.kind == "user" && did.In > 0 || storm.kind == "address" && did.In > addressConnections || did.Tries <= did.In && storm.kind != "handshakes" {
			t.Errorf("%+v: %+v", storm, did)
		}
		w, err := new(load).witness(command{Address: address, ForSec: 0.05})
		for end := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			w, err = new(load).witness(command{Address: address, ForSec: 0.05})
		}
		if err != nil || w.Count == 0 || w.P50 > w.P99 || w.P99 > w.Max {
			t.Errorf("%+v: %+v, %v", storm, w, err)
		}
		server.Close()
	}
}
