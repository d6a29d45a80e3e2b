package e2e

import (
	"os"
	"os/exec"
	"testing"
)

// find looks for a program that a test needs. In CI it must be there; elsewhere the test is skipped without it.
func find(t testing.TB, name, debian, why string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing: %s", name, why)
	}
	t.Skipf("NOT TESTED: %s is missing (Debian: apt-get install %s): %s", name, debian, why)
	return ""
}
