package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The commands that the runbook has people run are commands, and none is refused for how it is written; its settings are settings.
func TestRunbookNamesRealCommands(t *testing.T) {
	text, err := os.ReadFile("../../deploy/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	nowhere := []string{
		"DOZAAR_KAFKA_BROKERS=127.0.0.1:1", "DOZAAR_SCHEMA_REGISTRY_URL=http://127.0.0.1:1", "DOZAAR_CASSANDRA_HOSTS=127.0.0.1:1",
		"DOZAAR_REDIS_ADDRS=127.0.0.1:1", "DOZAAR_JWT_SECRET=" + strings.Repeat("s", 32),
	}
	commands := regexp.MustCompile("`dozaar ([a-z][^`]*)`").FindAllStringSubmatch(string(text), -1)
	if len(commands) < 5 {
		t.Errorf("only %d commands", len(commands))
	}
	for _, command := range commands {
		args := strings.Fields(strings.ReplaceAll(command[1], "PARTITION/OFFSET", "0/0"))
		if args[0] != "config" {
			args = append(args, "--wait=1ms")
		}
		if got := dozaar(t, nowhere, args...); got.code == exitUsage {
			t.Errorf("dozaar %s: %s", command[1], got.stderr)
		}
	}
	known := dozaar(t, nil, "all", "--help").stdout
	for _, name := range regexp.MustCompile(`\bDOZAAR_[A-Z_]*[A-Z]\b`).FindAllString(string(text), -1) {
		if name != "DOZAAR_JWT" && !strings.Contains(known, "$"+name+")") {
			t.Errorf("%s is no setting", name)
		}
	}
}
