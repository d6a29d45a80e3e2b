package observe

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// Row 24 of the hostile inputs: what a stranger sends stays on its line.
func TestLogLinesCannotBeForged(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var out bytes.Buffer
		log, err := NewLogger(&out, format, "info")
		if err != nil {
			t.Fatal(err)
		}
		log.Info("joined", "username", "ann\nlevel=ERROR msg=\"forged\"\r\x1b[31m\x00")
		got := out.String()
		if strings.Count(got, "\n") != 1 || !strings.HasSuffix(got, "\n") || strings.ContainsAny(got[:len(got)-1], "\r\x1b\x00") {
			t.Errorf("%s: %q", format, got)
		}
	}
}

func TestLoggerLevels(t *testing.T) {
	for level, want := range map[string]int{"debug": 4, "info": 3, "warn": 2, "error": 1} {
		var out bytes.Buffer
		log, err := NewLogger(&out, "text", level)
		if err != nil {
			t.Fatal(err)
		}
		log.Debug("x")
		log.Info("x")
		log.Warn("x")
		log.Error("x")
		if got := strings.Count(out.String(), "\n"); got != want {
			t.Errorf("%s: %d lines, want %d", level, got, want)
		}
	}
	for _, bad := range [][2]string{{"xml", "info"}, {"", "info"}, {"text", "loud"}, {"text", "INFO"}, {"json", ""}} {
		if _, err := NewLogger(&bytes.Buffer{}, bad[0], bad[1]); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestRegistry(t *testing.T) {
	registry := NewRegistry("v1.2.3", "abc")
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, family := range families {
		labels := make([]string, 0, len(family.GetMetric()[0].GetLabel()))
		for _, label := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, label.GetName()+"="+label.GetValue())
		}
		found[family.GetName()] = strings.Join(labels, " ")
	}
	for _, name := range []string{"go_goroutines", "process_start_time_seconds", "dozaar_build_info"} {
		if _, ok := found[name]; !ok {
			t.Errorf("no %s", name)
		}
	}
	if got := found["dozaar_build_info"]; !strings.Contains(got, "revision=abc") || !strings.Contains(got, "version=v1.2.3") || !strings.Contains(got, "goversion=go") {
		t.Errorf("labels: %s", got)
	}
	NewRegistry("v1.2.3", "abc") // a second one in the same process is no conflict
}
