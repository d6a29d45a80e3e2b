package main

import (
	"context"
	"io"
	"strings"
	"testing"
)

func TestUnknownVariables(t *testing.T) {
	secret := "DOZAAR_JWT_SECRET=" + strings.Repeat("s", 32)
	roles := map[string][]string{
		roleAll:      {secret},
		roleGateway:  {secret, "DOZAAR_KAFKA_BROKERS=k:1", "DOZAAR_SCHEMA_REGISTRY_URL=http://s:1", "DOZAAR_CASSANDRA_HOSTS=c", "DOZAAR_REDIS_ADDRS=r:1"},
		rolePresence: {"DOZAAR_KAFKA_BROKERS=k:1", "DOZAAR_SCHEMA_REGISTRY_URL=http://r:1", "DOZAAR_CASSANDRA_HOSTS=c", "DOZAAR_REDIS_ADDRS=r:1"},
	}
	for _, tt := range []struct {
		variable string
		code     int
		says     string // "": nothing at all
	}{
		{"DOZAAR_CASSANDRA_HOST=10.0.0.1", exitFailed, "DOZAAR_CASSANDRA_HOST: there is no such setting; did you mean DOZAAR_CASSANDRA_HOSTS?"},
		{"DOZAAR_REDIS_ADDRESS=10.0.0.1:1", exitFailed, "did you mean DOZAAR_REDIS_ADDRS?"},
		{"DOZAAR_KAFKABROKERS=10.0.0.1:1", exitFailed, "did you mean DOZAAR_KAFKA_BROKERS?"},
		{"DOZAAR_CONFG=/not/there", exitFailed, "did you mean DOZAAR_CONFIG?"},
		{"DOZAAR_REDIS_PORT=6379", exitOK, "DOZAAR_REDIS_PORT: there is no such setting"},
		{"DOZAAR_IMAGE=dozaar:1", exitOK, "DOZAAR_IMAGE: there is no such setting"},
		{"DOZAAR_CASSANDRA_HOST=", exitOK, ""},
		{"DOZAARING=1", exitOK, ""},
		{"DOZAAR_ENGINES_DIR=/tmp", exitOK, ""},
		// What Kubernetes gives for services named dozaar, dozaar-gateway, dozaar-config and dozaar-listen.
		{"DOZAAR_SERVICE_HOST=10.0.0.1", exitOK, ""},
		{"DOZAAR_PORT=tcp://10.0.0.1:3000", exitOK, ""},
		{"DOZAAR_GATEWAY_SERVICE_HOST=10.0.0.1", exitOK, ""},
		{"DOZAAR_GATEWAY_SERVICE_PORT=3000", exitOK, ""},
		{"DOZAAR_GATEWAY_SERVICE_PORT_HTTP=3000", exitOK, ""},
		{"DOZAAR_CONFIG_PORT=udp://10.0.0.1:3000", exitOK, ""},
		{"DOZAAR_LISTEN_PORT_3000_TCP=tcp://10.0.0.1:3000", exitOK, ""},
		{"DOZAAR_LISTEN_PORT_3000_TCP_PROTO=tcp", exitOK, ""},
		{"DOZAAR_LISTEN_PORT_3000_TCP_PORT=3000", exitOK, ""},
		{"DOZAAR_LISTEN_PORT_3000_TCP_ADDR=10.0.0.1", exitOK, ""},
	} {
		for role, env := range roles {
			got := dozaar(t, append([]string{tt.variable}, env...), "config", "check", "--role", role)
			if got.code != tt.code || !strings.Contains(got.stderr, tt.says) || tt.says == "" && got.stderr != "" {
				t.Errorf("%s, role %s: exit code %d, want %d; want %q in: %q", tt.variable, role, got.code, tt.code, tt.says, got.stderr)
			}
		}
	}
}

// What a command makes of a misspelt setting: refused where the command uses it, told where another one does.
func TestAMisspeltVariableStopsWhoUsesIt(t *testing.T) {
	misspelt := "DOZAAR_KAFKA_BROKER=10.0.0.1:1"
	if got := dozaar(t, []string{misspelt}, "all", "--dev", "--data-dir", t.TempDir(), "--listen", "nowhere"); got.code != exitFailed ||
		!strings.HasPrefix(got.stderr, "dozaar: DOZAAR_KAFKA_BROKER: ") {
		t.Errorf("all: exit code %d: %s", got.code, got.stderr)
	}
	for _, command := range [][]string{{"version"}, {"token", "--user", someUser, "--username", "x", "--jwt-secret", strings.Repeat("s", 32)}} {
		if got := dozaar(t, []string{misspelt}, command...); got.code != exitOK || got.stderr != "" {
			t.Errorf("%v: exit code %d: %s", command, got.code, got.stderr)
		}
	}
	// Nobody answers at port 1: what is told before matters.
	got := dozaar(t, []string{misspelt}, "migrate", "--wait", "1ms", "--cassandra-hosts", "127.0.0.1:1")
	if !strings.Contains(got.stderr, "DOZAAR_KAFKA_BROKER: there is no such setting; if DOZAAR_KAFKA_BROKERS is meant, this command does not use it") {
		t.Errorf("migrate: exit code %d: %s", got.code, got.stderr)
	}
}

func TestARoleLogsVariablesWithoutEffect(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var stderr strings.Builder
	env := environment{"DOZAAR_IMAGE": "dozaar:1", "DOZAAR_KAFKA_BROKERS": "127.0.0.1:1", "DOZAAR_SCHEMA_REGISTRY_URL": "http://127.0.0.1:1", "DOZAAR_CASSANDRA_HOSTS": "127.0.0.1:1", "DOZAAR_REDIS_ADDRS": "127.0.0.1:1"}
	code := run(ctx, []string{rolePresence, "--admin-listen", "127.0.0.1:0"}, env, io.Discard, &stderr)
	if code != exitOK || !strings.Contains(stderr.String(), "DOZAAR_IMAGE: there is no such setting") {
		t.Errorf("exit code %d: %s", code, stderr.String())
	}
}
