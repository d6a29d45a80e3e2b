package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/auth"
)

const someUser = "0190a5d4-7c2e-7abc-8def-0123456789ab"

func verify(t *testing.T, cfg auth.Config, token string) auth.Identity {
	t.Helper()
	verifier, err := auth.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	id, err := verifier.Verify(context.Background(), token)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestTokenBySecret(t *testing.T) {
	secret := strings.Repeat("s", 32)
	env := []string{"DOZAAR_JWT_SECRET=" + secret, "DOZAAR_JWT_AUDIENCE=chat", "DOZAAR_JWT_ISSUER=shop"}
	got := dozaar(t, env, "token", "--user", someUser, "--username", "Zoë", "--scope", "service", "--ttl", "2m")
	token, rest, _ := strings.Cut(got.stdout, "\n")
	if got.code != exitOK || rest != "" || got.stderr != "" || strings.Count(token, ".") != 2 {
		t.Fatalf("exit code %d, stdout %q, stderr %q", got.code, got.stdout, got.stderr)
	}
	// The gateway of the same configuration accepts it.
	id := verify(t, auth.Config{Secret: []byte(secret), Audience: []string{"chat"}, Issuer: "shop"}, token)
	if id.User.ID.String() != someUser || id.User.Username != "Zoë" || !id.Service {
		t.Errorf("%+v", id)
	}
	if left := time.Until(id.ExpiresAt); left < time.Minute || left > 2*time.Minute {
		t.Errorf("good for %s", left)
	}
}

func TestTokenByTheSecretOfDev(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	args := []string{"token", "--user", someUser, "--username", "x", "--data-dir", data}
	if got := dozaar(t, nil, args...); got.code != exitFailed || !strings.Contains(got.stderr, "DOZAAR_JWT_SECRET") || !strings.Contains(got.stderr, "--dev") {
		t.Fatalf("without a secret: exit code %d, %q", got.code, got.stderr)
	}
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Error("token made the data folder")
	}
	secret, err := DevSecret(data)
	if err != nil {
		t.Fatal(err)
	}
	got := dozaar(t, nil, args...)
	if got.code != exitOK {
		t.Fatalf("exit code %d: %s", got.code, got.stderr)
	}
	if id := verify(t, auth.Config{Secret: secret}, strings.TrimSpace(got.stdout)); id.Service {
		t.Error("a token without --scope has the scope service")
	}
}

func TestTokenRefuses(t *testing.T) {
	good := "DOZAAR_JWT_SECRET=" + strings.Repeat("s", 32)
	for _, tt := range []struct {
		name string
		env  []string
		args []string
		code int
		says string
	}{
		{"no UUID", []string{good}, []string{"--user", "42", "--username", "x"}, exitUsage, "--user"},
		{"nil UUID", []string{good}, []string{"--user", "00000000-0000-0000-0000-000000000000", "--username", "x"}, exitUsage, "--user"},
		{"empty name", []string{good}, []string{"--user", someUser, "--username", ""}, exitUsage, "--username"},
		{"long name", []string{good}, []string{"--user", someUser, "--username", strings.Repeat("x", 129)}, exitUsage, "--username"},
		{"no time", []string{good}, []string{"--user", someUser, "--username", "x", "--ttl", "0s"}, exitUsage, "--ttl"},
		{"short secret", []string{"DOZAAR_JWT_SECRET=tooshort"}, []string{"--user", someUser, "--username", "x"}, exitFailed, "32"},
		{"broken file", []string{good, "DOZAAR_CONFIG=/not/there"}, []string{"--user", someUser, "--username", "x"}, exitFailed, "/not/there"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := dozaar(t, tt.env, append([]string{"token"}, tt.args...)...)
			if got.code != tt.code || got.stdout != "" || !strings.Contains(got.stderr, tt.says) || strings.Count(got.stderr, "\n") != 1 {
				t.Fatalf("exit code %d, want %d; stdout %q, stderr %q", got.code, tt.code, got.stdout, got.stderr)
			}
			if strings.Contains(got.stderr, "tooshort") {
				t.Error("the secret is in the error")
			}
		})
	}
}

func TestDevSecretIsTheSameForAll(t *testing.T) {
	data := filepath.Join(t.TempDir(), "a", "b")
	const callers = 16
	secrets := make([]string, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			secret, err := DevSecret(data)
			if err != nil {
				t.Error(err)
			}
			secrets[i] = string(secret)
		})
	}
	wg.Wait()
	for _, secret := range secrets {
		if secret != secrets[0] || len(secret) != 64 {
			t.Fatalf("%q and %q", secret, secrets[0])
		}
	}
	entries, err := os.ReadDir(data)
	if err != nil || len(entries) != 1 {
		t.Fatalf("left behind: %v, %v", entries, err)
	}
	if info, err := entries[0].Info(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestDevSecretRefusesWhatIsNotSafe(t *testing.T) {
	for _, tt := range []struct {
		name, content string
		mode          os.FileMode
		says          string
	}{
		{"readable by others", strings.Repeat("s", 64), 0o644, "chmod 600"},
		{"short", "short", 0o600, "32"},
		{"empty", "", 0o600, "32"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data := t.TempDir()
			path := filepath.Join(data, devSecretName)
			if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tt.mode); err != nil {
				t.Fatal(err)
			}
			if _, err := DevSecret(data); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("%v", err)
			}
			if kept, err := os.ReadFile(path); err != nil || string(kept) != tt.content {
				t.Error("the file was changed")
			}
		})
	}
}
