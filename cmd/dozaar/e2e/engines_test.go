package e2e

import (
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// engineVariables say where real engines are. With the first four the roles run on them, each on its own.
var engineVariables = []string{
	"DOZAAR_KAFKA_BROKERS", "DOZAAR_SCHEMA_REGISTRY_URL", "DOZAAR_CASSANDRA_HOSTS", "DOZAAR_REDIS_ADDRS",
	"DOZAAR_REDIS_MASTER", "DOZAAR_REDIS_CLUSTER", "DOZAAR_KAFKA_PARTITIONS", "DOZAAR_CASSANDRA_KEYSPACE", "DOZAAR_CASSANDRA_REPLICATION",
}

// realEngines tells whether the environment names engines. Some of them is a mistake.
func realEngines(t testing.TB) bool {
	t.Helper()
	var missing []string
	for _, name := range engineVariables[:4] {
		if os.Getenv(name) == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 && len(missing) < 4 {
		t.Fatalf("of the engines' addresses some are given and %s not", strings.Join(missing, ", "))
	}
	return len(missing) == 0
}

// engineSettings are the engines' addresses as a process is given them.
func engineSettings() (env []string) {
	for _, name := range engineVariables {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// prepare makes tables, schemas and topics, in the order that the README gives; once for all tests.
var prepare = sync.OnceValues(func() (said string, err error) {
	for _, command := range []string{"migrate", "schemas apply", "topics apply"} {
		cmd := exec.Command("../../../bin/dozaar", strings.Fields(command)...)
		cmd.Env = engineSettings()
		out, err := cmd.CombinedOutput()
		if err != nil {
			return command + ": " + string(out), err
		}
	}
	return "", nil
})

func prepared(t testing.TB) {
	t.Helper()
	built(t)
	if said, err := prepare(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
}
