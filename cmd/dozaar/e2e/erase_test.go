package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestErasure has what a person wrote erased by the command, and looks for it in the history, in the archive, and on a
// device that asks for everything again.
func TestErasure(t *testing.T) {
	p, env := readable(t)
	gateway := p.gateways[0]
	gone, stays := newPerson("gone"), newPerson("stays")
	room := gateway.conversation(gone, stays)
	said := &sales{minutes: map[string]int{}}
	for range 3 {
		said.say(gateway, gone, room, "my secret is out")
		said.say(gateway, stays, room, "mine is not")
	}
	p.published(said.messages)
	dir := t.TempDir()
	dozaar := func(arg ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), built(t), arg...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), append(env, "DOZAAR_JWT_SECRET="+secret)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("dozaar %v: %v\n%s", arg, err, out)
		}
		return string(out)
	}
	dozaar("archive", "--dir", "archive", "--once")
	printed := dozaar("erase", "user", gone.ID, "--url", "http://"+gateway.listen)
	for _, words := range []string{"done at ", ": 3 messages erased in 1 conversations", "topic chat.messages ", "archive"} {
		if !strings.Contains(printed, words) {
			t.Errorf("%q is not said:\n%s", words, printed)
		}
	}
	want := []string{"", "mine is not", "", "mine is not", "", "mine is not"}
	if got := gateway.texts(room); !slices.Equal(got, want) {
		t.Errorf("the history is %q", got)
	}
	device := gateway.connect(stays)
	defer device.close()
	device.send(`42/chat,["join:conversation",{"conversationId":"` + room + `","afterSeq":0}]`)
	for seq := range want {
		if frame := device.until(`42/chat,["new:message",`); strings.Contains(frame, "secret") || strings.Contains(frame, `"gone"`) {
			t.Errorf("message %d is shown as %s", seq+1, frame)
		}
	}
	// What is in the archive by the event, which the archive reads as its own.
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		dozaar("archive", "--dir", "archive", "--once")
		leaks := leaksIn(t, filepath.Join(dir, "archive"), room)
		if leaks == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d files of the archive still tell the secret", leaks)
		}
	}
}

// leaksIn counts what DuckDB still reads of the secret.
func leaksIn(t *testing.T, archive, room string) int {
	t.Helper()
	python := os.Getenv("DOZAAR_PYTHON")
	if python == "" {
		t.Fatal("DOZAAR_PYTHON must name a Python with python/requirements.txt installed: run `make test`")
	}
	const ask = `import duckdb, sys
rows = duckdb.sql(f"SELECT text, senderUsername FROM '{sys.argv[1]}/event=message_stored/*/*.parquet' WHERE conversationId = '{sys.argv[2]}'").fetchall()
assert len(rows) == 6, rows
print(sum(r[0] == "my secret is out" or r[1] == "gone" for r in rows))`
	out, err := exec.CommandContext(t.Context(), python, "-c", ask, archive, room).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return len(strings.TrimLeft(strings.TrimSpace(string(out)), "0"))
}

// texts are those of a conversation's history.
func (p *process) texts(conversation string) (texts []string) {
	p.t.Helper()
	var page struct{ Messages []struct{ Message string } }
	p.api(http.MethodGet, "/v1/conversations/"+conversation+"/messages?afterSeq=0", nil, http.StatusOK, &page)
	for _, m := range page.Messages {
		texts = append(texts, m.Message)
	}
	return texts
}
