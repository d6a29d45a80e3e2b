package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// result is what one run of the program did.
type result struct {
	code           int
	stdout, stderr string
}

// dozaar runs the program in a world whose only environment is env, given as NAME=value.
func dozaar(t *testing.T, env []string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(context.Background(), args, environmentOf(env), &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExitCodes(t *testing.T) {
	for _, tt := range []struct {
		name string
		env  []string
		args []string
		code int
		says string // in stdout or stderr
	}{
		{"nothing", nil, nil, exitUsage, "Usage: dozaar"},
		{"help", nil, []string{"--help"}, exitOK, "Usage: dozaar"},
		{"help command", nil, []string{"help"}, exitOK, "Usage: dozaar"},
		{"help for a command", nil, []string{"help", "token"}, exitOK, "Usage: dozaar token"},
		{"help for a nested command", nil, []string{"help", "config", "check"}, exitOK, "Usage: dozaar config check"},
		{"help for nothing there", nil, []string{"help", "bogus"}, exitUsage, "bogus"},
		{"a command's help without its required flags", nil, []string{"token", "-h"}, exitOK, "--username"},
		{"unknown command", nil, []string{"bogus"}, exitUsage, "bogus"},
		{"unknown flag", nil, []string{"version", "--bogus"}, exitUsage, "--bogus"},
		{"missing flag", nil, []string{"token", "--username", "x"}, exitUsage, "--user"},
		{"version", nil, []string{"version"}, exitOK, "dozaar "},
		{"version whatever is configured", []string{"DOZAAR_CONFIG=/not/there", "DOZAAR_PRESENCE_TTL=x"}, []string{"version"}, exitOK, "dozaar "},
		{"unreadable flag", nil, []string{"config", "--presence-ttl=x"}, exitUsage, "--presence-ttl"},
		{"unreadable variable", []string{"DOZAAR_PRESENCE_TTL=x"}, []string{"config"}, exitFailed, "DOZAAR_PRESENCE_TTL"},
		{"all without a key", nil, []string{"all"}, exitFailed, "DOZAAR_JWT_SECRET"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := dozaar(t, tt.env, tt.args...)
			if got.code != tt.code || !strings.Contains(got.stdout+got.stderr, tt.says) {
				t.Fatalf("exit code %d, want %d; want %q in:\n%s%s", got.code, tt.code, tt.says, got.stdout, got.stderr)
			}
			if tt.code == exitOK && got.stderr != "" {
				t.Errorf("stderr: %s", got.stderr)
			}
			if tt.code != exitOK && tt.args != nil {
				if got.stdout != "" {
					t.Errorf("a failure wrote to stdout: %s", got.stdout)
				}
				if strings.Count(got.stderr, "\n") != 1 || !strings.HasPrefix(got.stderr, "dozaar: ") {
					t.Errorf("not one line: %q", got.stderr)
				}
			}
		})
	}
}

func TestHelpNamesVariablesAndDefaults(t *testing.T) {
	got := strings.Join(strings.Fields(dozaar(t, nil, "all", "--help").stdout), " ")
	for _, want := range []string{"(default 127.0.0.1:3000, $DOZAAR_LISTEN)", "$DOZAAR_JWT_JWKS_URL", "$DOZAAR_DEV", "$DOZAAR_CONFIG"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in the help", want)
		}
	}
	if got := dozaar(t, nil, "token", "--help").stdout; strings.Contains(got, "DOZAAR_USER") {
		t.Error("--user must come from the command line and nowhere else")
	}
}

func TestPasswordsInErrorsAreHidden(t *testing.T) {
	for line, want := range map[string]string{
		`PUT "https://me:hush@registry/config": no such host`: `PUT "https://***@registry/config": no such host`,
		`redis://:hush@r:6379 and http://a:b@c/`:              `redis://***@r:6379 and http://***@c/`,
		`https://shop.example/@ann: ann@example.org`:          `https://shop.example/@ann: ann@example.org`,
	} {
		if got := withoutPasswords(line); got != want {
			t.Errorf("%s", got)
		}
	}
}
