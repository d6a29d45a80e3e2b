package socketio

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// suitesVariable names a folder with checkouts of socketio/engine.io-protocol and
// socketio/socket.io-protocol, each with its test-suite's dependencies installed. The suites are not
// part of this repository, and need ws 8.16 or later, which lets their client hear every message; engine_test.go and socket_test.go cover the same behaviour without them.
const suitesVariable = "DOZAAR_CONFORMANCE_SUITES"

func TestConformance(t *testing.T) {
	suites := os.Getenv(suitesVariable)
	if suites == "" {
		t.Skip("set " + suitesVariable + " to run the published suites")
	}
	cfg := Config{
		PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond,
		ConnectTimeout: time.Second, MaxPayload: 1e6, MaxAttachments: 10,
	}
	t.Run("engine.io-protocol", func(t *testing.T) {
		runSuite(t, newEngineRig(t, cfg), filepath.Join(suites, "engine.io-protocol"))
	})
	t.Run("socket.io-protocol", func(t *testing.T) {
		h := func() *script {
			return &script{
				authenticate: func(_ context.Context, hs Handshake) (any, error) {
					if hs.Auth == nil {
						return json.RawMessage("{}"), nil
					}
					return hs.Auth, nil
				},
				connected: func(_ context.Context, s *Socket) { _ = s.Emit("auth", s.User()) },
				event: func(_ context.Context, s *Socket, e Event) {
					args := make([]any, len(e.Args))
					for i := range args {
						if args[i] = e.Args[i]; len(e.Attachments) > 0 {
							args[i], _ = e.Binary(i)
						}
					}
					if e.Name == "message" {
						_ = s.Emit("message-back", args...)
					}
					e.Ack(args...)
				},
			}
		}
		runSuite(t, newRig(t, cfg, map[string]Handler{"/": h(), "/custom": h()}), filepath.Join(suites, "socket.io-protocol"))
	})
}

// runSuite runs a copy of a suite that speaks to r in place of the port it has built in.
func runSuite(t *testing.T, r *rig, checkout string) {
	from, dir := filepath.Join(checkout, "test-suite"), t.TempDir()
	for _, name := range []string{"test-suite.js", "node-imports.js", "package.json"} {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(text, []byte("http://localhost:3000"), []byte(r.http.URL))
		// By default ws hands out two messages of one read before the suite can listen for the second.
		text = bytes.ReplaceAll(text, []byte("globalThis.WebSocket = WebSocket;"), []byte(
			"globalThis.WebSocket = class extends WebSocket {\n"+
				"  constructor(url) { super(url, { allowSynchronousEvents: false }); }\n};"))
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(from, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	mocha := exec.CommandContext(ctx, "node", "node_modules/mocha/bin/mocha", "--exit", "test-suite.js")
	mocha.Dir = dir
	output, err := mocha.CombinedOutput()
	t.Logf("%s", output)
	if err != nil || strings.Contains(string(output), "pending") {
		t.Errorf("the suite failed: %v", err)
	}
}
