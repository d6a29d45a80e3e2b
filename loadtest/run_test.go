package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dozaar/dozaar/loadtest/load"
	"github.com/dozaar/dozaar/loadtest/report"
	"github.com/dozaar/dozaar/loadtest/scenarios"
	"github.com/dozaar/dozaar/loadtest/standin"
)

// TestScenarios runs each of them, made small, against a chat that keeps every promise.
func TestScenarios(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("any\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	small := map[string]struct {
		flags []string
		check func(*testing.T, report.Summary)
	}{
		"marketplace": {[]string{"--conversations", "40", "--sellers", "5", "--burst-every", "1s", "--burst-for", "300ms", "--open", "3"}, func(t *testing.T, s report.Summary) {
			if s.Verdict.Counts.Looked == 0 || s.Verdict.Counts.Marks == 0 || s.Verdict.Counts.Notified == 0 {
				t.Errorf("too little happened: %+v", s.Verdict.Counts)
			}
		}},
		"idle": {[]string{"--idle", "100"}, func(t *testing.T, s report.Summary) {
			if s.Course.Devices < 150 || s.Course.Moments[1].Connected != int64(s.Course.Devices) {
				t.Errorf("%d devices, of which %d are there", s.Course.Devices, s.Course.Moments[1].Connected)
			}
		}},
		"room": {[]string{"--members", "60", "--rate", "20"}, func(t *testing.T, s report.Summary) {
			if s.Latency.Delivered.Count < 50*s.Latency.Acked.Count {
				t.Errorf("%d deliveries of %d messages to 60 members", s.Latency.Delivered.Count, s.Latency.Acked.Count)
			}
		}},
		"storm": {[]string{"--conversations", "10", "--storm-every", "1s", "--duration", "10s"}, func(t *testing.T, s report.Summary) {
			if len(s.Course.Storms) == 0 || s.Course.Storms[0].Cut == 0 || s.Course.Storms[0].Back == 0 || s.Verdict.Counts.Reconnects == 0 {
				t.Errorf("no storm: %+v", s.Course.Storms)
			}
		}},
		"deploy": {[]string{"--conversations", "10", "--deploy-every", "1s", "--restart", `test "$GATEWAY" = 1`}, func(t *testing.T, s report.Summary) {
			if len(s.Course.Notes) < 2 || !strings.Contains(s.Course.Notes[1].Text, "is back") {
				t.Errorf("no deploy: %+v", s.Course.Notes)
			}
		}},
		"capacity": {[]string{"--conversations", "50", "--sellers", "50", "--idle", "50", "--rate", "500"}, func(t *testing.T, s report.Summary) {
			if s.Verdict.Counts.Sent < 1500 {
				t.Errorf("only %d messages", s.Verdict.Counts.Sent)
			}
		}},
		"slow": {[]string{"--conversations", "2", "--members", "20", "--slow", "0.5"}, func(t *testing.T, s report.Summary) {
			if s.Latency.Delivered.Count > 15*s.Latency.Acked.Count { // of twenty
				t.Error("the wait of slow devices is counted too")
			}
		}},
	}
	for _, name := range scenarios.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flags, known := small[name]
			if !known {
				t.Fatal("make it small for this test")
			}
			chat := standin.New()
			server := httptest.NewServer(chat)
			defer server.Close()
			defer chat.Close()
			folder := t.TempDir()
			args := append([]string{name, "--gateways", server.URL, "--secret-file", secret, "--out", folder, "--duration", "4s", "--warm", "1s", "--connects", "1000"}, flags.flags...)
			var out bytes.Buffer
			code, err := run(t.Context(), append([]string{"run"}, args...), &out, io.Discard)
			if code != 0 || err != nil {
				t.Fatalf("%d, %v\n%s", code, err, out.String())
			}
			s := summary(t, folder)
			c := s.Course
			if s.Latency.Acked.P99 == 0 || s.Latency.Delivered.Count < s.Latency.Acked.Count || len(c.Moments) < 3 || c.Seconds < 1.5 || c.Messages == 0 {
				t.Errorf("measured: %+v in %v s, %d moments", s.Latency, c.Seconds, len(c.Moments))
			}
			if len(c.Costs) != 1 || c.Costs[0].Name != load.Self || c.Costs[0].Peak == 0 {
				t.Errorf("costs: %+v", c.Costs)
			}
			flags.check(t, s)
			isPage(t, filepath.Join(folder, report.PageFile))
		})
	}
}

func summary(t *testing.T, folder string) (s report.Summary) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, report.SummaryFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func isPage(t *testing.T, path string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	drawn := 0
	for tokens := xml.NewDecoder(file); ; {
		token, err := tokens.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		element, begins := token.(xml.StartElement)
		if begins && element.Name.Local == "path" {
			drawn++
		}
		for _, a := range element.Attr {
			if a.Name.Local == "src" || a.Name.Local == "href" || strings.Contains(a.Value, "NaN") {
				t.Errorf("%s %s=%q", element.Name.Local, a.Name.Local, a.Value)
			}
		}
	}
	if drawn < 8*5 {
		t.Errorf("only %d lines are drawn", drawn)
	}
}

func TestArguments(t *testing.T) {
	read := func(args ...string) (load.Plan, error) {
		var o options
		p := load.DefaultPlan()
		p.Processes = map[string]load.Process{}
		_, err := readArguments(runFlags(&o, &p), args)
		return p, err
	}
	p, err := read("--rate", "7", "room", "--pid", "gateway1=4711", "--pid", "kafka=run/kafka", "--members", "9")
	if err != nil || p.Rate != 7 || p.Members != 9 || p.Conversations != 1 || p.Processes["gateway1"] != "4711" || p.Processes["kafka"] != "run/kafka" {
		t.Errorf("%+v, %v", p, err)
	}
	for _, args := range [][]string{{"room", "idle"}, {"nowhere"}, {"--pid", "4711"}, {"--pid", "gateway1="}, {"--target", "x", "room", "--no-such-flag"}} {
		if _, err := read(args...); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
}

func TestEnginesAreLookedAt(t *testing.T) {
	folder, processes := t.TempDir(), map[string]load.Process{}
	if addEngines(processes, folder) == nil {
		t.Error("nothing runs there, and it is taken")
	}
	if err := os.MkdirAll(filepath.Join(folder, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "run", "kafka")
	if err := os.WriteFile(file, []byte("4711 java\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := addEngines(processes, folder); err != nil || processes["kafka"] != load.Process(file) {
		t.Errorf("%v, %v", processes, err)
	}
}

func TestTargets(t *testing.T) {
	if _, err := newTarget(options{target: "nobody"}); err == nil || !strings.Contains(err.Error(), "dozaar") {
		t.Error(err)
	}
}
