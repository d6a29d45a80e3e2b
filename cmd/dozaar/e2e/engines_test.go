package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// engineVariables say where real engines are. With the first four, the roles run on them.
var engineVariables = []string{
	"DOZAAR_KAFKA_BROKERS", "DOZAAR_SCHEMA_REGISTRY_URL", "DOZAAR_CASSANDRA_HOSTS", "DOZAAR_REDIS_ADDRS",
	"DOZAAR_REDIS_MASTER", "DOZAAR_REDIS_CLUSTER", "DOZAAR_KAFKA_PARTITIONS", "DOZAAR_CASSANDRA_KEYSPACE", "DOZAAR_CASSANDRA_REPLICATION",
}

// TestMain makes tables, schemas and topics where there are engines, in the order that the README gives.
func TestMain(m *testing.M) {
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func prepare() error {
	var missing []string
	for _, name := range engineVariables[:4] {
		if os.Getenv(name) == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) == 4 {
		return nil // embedded
	}
	if len(missing) > 0 {
		return fmt.Errorf("of the engines' addresses some are given, and %s not", strings.Join(missing, ", "))
	}
	return prepareBy("../../../bin/dozaar")
}

// prepareBy has a binary make what is missing.
func prepareBy(binary string) error {
	for _, command := range []string{"migrate", "schemas apply", "topics apply"} {
		cmd := exec.Command(binary, strings.Fields(command)...)
		cmd.Env = engineSettings()
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("dozaar %s: %w\n%s", command, err, out)
		}
	}
	return nil
}

// realEngines tells whether the roles run on their own, on engines of the environment.
func realEngines() bool { return os.Getenv(engineVariables[0]) != "" }

// engineSettings are the engines' addresses as a process is given them.
func engineSettings() (env []string) {
	for _, name := range engineVariables {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

const enginesScript = "../../../deploy/engines/engines.sh"

// engineSet is the engines that a test may take away: those of engines.sh in DOZAAR_ENGINES_DIR.
type engineSet struct{ t *testing.T }

// ownEngines are engines that nobody else uses. Without them the test is skipped.
func ownEngines(t *testing.T) engineSet {
	t.Helper()
	if !realEngines() || os.Getenv("DOZAAR_ENGINES_DIR") == "" {
		t.Skip("only on engines that may be killed: run `make test-engines`")
	}
	return engineSet{t}
}

// sh is engines.sh with an action and perhaps a node; see there.
func (s engineSet) sh(arg ...string) string {
	s.t.Helper()
	out, err := exec.Command(enginesScript, arg...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("engines.sh %s: %v\n%s", strings.Join(arg, " "), err, out)
	}
	return string(out)
}

// restored has every node run again at the end of the test, whatever became of it.
func (s engineSet) restored() engineSet {
	s.t.Helper()
	s.t.Cleanup(func() { s.sh("up") })
	return s
}

// status has a line for each node: `redis-1: running, pid 1, 127.0.0.1:2`.
func (s engineSet) status() string {
	out, _ := exec.Command(enginesScript, "status").Output() // fails where a node is down
	return string(out)
}

// nodes is how many an engine has.
func (s engineSet) nodes(engine string) int {
	return len(regexp.MustCompile(`(?m)^`+engine+`-\d+: `).FindAllString(s.status(), -1))
}

// redisMasters are the nodes that say that they take writes.
func (s engineSet) redisMasters() (masters []string) {
	for _, found := range regexp.MustCompile(`(?m)^(redis-\d+): running, pid \d+, (\S+)$`).FindAllStringSubmatch(s.status(), -1) {
		conn, err := net.DialTimeout("tcp", found[2], patience)
		if err != nil {
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		reply := make([]byte, 64)
		_, _ = conn.Write([]byte("ROLE\r\n"))
		n, _ := conn.Read(reply)
		_ = conn.Close()
		if strings.Contains(string(reply[:n]), "master") {
			masters = append(masters, found[1])
		}
	}
	return masters
}

// haveMasters waits until as many nodes as that say that they take writes.
func (s engineSet) haveMasters(count int, when string) {
	s.t.Helper()
	masters := s.redisMasters()
	for end := time.Now().Add(startPatience); len(masters) != count; masters = s.redisMasters() {
		if time.Now().After(end) {
			s.t.Fatalf("%s: the masters are %v, want %d", when, masters, count)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
