package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/embedded"
	"github.com/dozaar/dozaar/schemas"
	"github.com/dozaar/dozaar/schemas/registry"
)

func startRegistry(t *testing.T, dir string) (*embedded.Registry, *registry.Registry) {
	t.Helper()
	r, err := embedded.StartRegistry(embedded.RegistryConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	client, err := registry.New(nil, r.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return r, client
}

func ids(t *testing.T, r *registry.Registry) map[string]int {
	t.Helper()
	all := make(map[string]int)
	for _, e := range schemas.Events() {
		id, err := r.ID(t.Context(), e.Subject(), e.Schema())
		if err != nil {
			t.Fatal(err)
		}
		all[e.Subject()] = id
	}
	return all
}

// Whatever was registered, in whatever order, ids are the same after a stop and after a crash, and a
// value that was written before is read after.
func TestRegistryKeepsItsIDs(t *testing.T) {
	dir := t.TempDir()
	first, client := startRegistry(t, dir)
	foreign := `{"type":"record","name":"Foreign","fields":[]}`
	foreignID, err := client.Register(t.Context(), "somebody-value", foreign) // a data team's own, before ours
	if err != nil {
		t.Fatal(err)
	}
	if _, err := schemas.Register(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	want := ids(t, client)
	codec, err := schemas.NewCodec(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	message := chat.Draft{Text: "before"}.New(chat.NewID(), chat.User{ID: chat.NewID(), Username: "Ada"}, time.Now())
	value, err := codec.EncodeMessage(message)
	if err != nil {
		t.Fatal(err)
	}

	crashed := t.TempDir()
	if err := os.CopyFS(crashed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	for how, dir := range map[string]string{"stop": dir, "crash": crashed} {
		again, client := startRegistry(t, dir)
		if got := ids(t, client); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("ids after a %s: %v; before: %v", how, got, want)
		}
		if text, err := client.Schema(t.Context(), foreignID); err != nil || text != foreign {
			t.Errorf("schema %d after a %s: %q, %v", foreignID, how, text, err)
		}
		codec, err := schemas.NewCodec(t.Context(), client)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := codec.DecodeMessage(value); err != nil || got.ID != message.ID {
			t.Errorf("a value from before the %s: %+v, %v", how, got, err)
		}
		if id, err := client.Register(t.Context(), "new-value", `{"type":"record","name":"New","fields":[]}`); err != nil || id <= foreignID+3 {
			t.Errorf("a new schema after a %s gets id %d, %v; want one that was never used", how, id, err)
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A subject that somebody deleted is registered again, under the ids that it had, and is held to its level.
func TestRegistryRegistersWhatWasDeleted(t *testing.T) {
	dir := t.TempDir()
	r, client := startRegistry(t, dir)
	before, err := schemas.Register(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	subject := schemas.MessageSent.Subject()
	request(t, http.MethodDelete, r.URL()+"/subjects/"+subject, "", 200)
	for range 2 {
		after, err := schemas.Register(t.Context(), client)
		if err != nil || !slices.Equal(after, before) {
			t.Errorf("registered %v, %v; want %v", after, err, before)
		}
		if _, err := schemas.Check(t.Context(), client); err != nil {
			t.Error(err)
		}
		r.Close()
		r, client = startRegistry(t, dir)
	}
	r.Close()
}

// Registering at each start, as programs do, does not make the journal grow; deleting and registering
// again does, and is repeated too.
func TestRegistryJournal(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "registry.journal")
	size := func() int64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	r, client := startRegistry(t, dir)
	if _, err := schemas.Register(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	before := size()
	for range 3 {
		if _, err := schemas.Register(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		ids(t, client)
		r.Close()
		r, client = startRegistry(t, dir)
	}
	if after := size(); after != before || after == 0 {
		t.Errorf("the journal has %d bytes; had %d", after, before)
	}
	subject := schemas.MessageSent.Subject()
	request(t, http.MethodDelete, r.URL()+"/subjects/"+subject, "", 200)
	request(t, http.MethodDelete, r.URL()+"/subjects/"+subject+"?permanent=true", "", 200)
	request(t, http.MethodPut, r.URL()+"/config", `{"compatibility":"FULL"}`, 200)
	request(t, http.MethodPut, r.URL()+"/config", `{"compatibility":"NONE"}`, 200)
	request(t, http.MethodPut, r.URL()+"/config", `{"compatibility":"FULL"}`, 200)
	if _, err := client.Register(t.Context(), subject, `{"type":"record","name":"Other","fields":[]}`); err != nil {
		t.Fatal(err)
	}
	r.Close()
	r, _ = startRegistry(t, dir)
	if got := request(t, http.MethodGet, r.URL()+"/subjects/"+subject+"/versions/latest", "", 200); !strings.Contains(got, "Other") {
		t.Errorf("the latest schema of %s: %s", subject, got)
	}
	if got := request(t, http.MethodGet, r.URL()+"/config", "", 200); !strings.Contains(got, `"FULL"`) {
		t.Errorf("compatibility: %s; want what was set last", got)
	}
	r.Close()

	// A crash in the middle of a line: what was answered stays, the rest is dropped.
	journal, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(bytes.Clone(journal), `{"method":"POST","url":"/subjects/x-val`...), 0o600); err != nil {
		t.Fatal(err)
	}
	r, _ = startRegistry(t, dir)
	request(t, http.MethodPut, r.URL()+"/config", `{"compatibility":"BACKWARD"}`, 200)
	r.Close()
	r, _ = startRegistry(t, dir)
	if got := request(t, http.MethodGet, r.URL()+"/config", "", 200); !strings.Contains(got, `"BACKWARD"`) {
		t.Errorf("compatibility: %s; want what was set after the crash", got)
	}
	r.Close()

	// Damage in the middle is not passed over: ids would move.
	if err := os.WriteFile(path, append([]byte("{damaged}\n"), journal...), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := embedded.StartRegistry(embedded.RegistryConfig{Dir: dir}); err == nil {
		r.Close()
		t.Error("it started on a damaged journal")
	}
}

func request(t *testing.T, method, url, body string, want int) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != want {
		t.Fatalf("%s %s: %d %s; want %d", method, url, answer.StatusCode, text, want)
	}
	return string(text)
}

func TestRegistryRefusesWhatIsTooLarge(t *testing.T) {
	r, _ := startRegistry(t, t.TempDir())
	defer r.Close()
	request(t, http.MethodPost, r.URL()+"/subjects/x-value/versions", `{"schema":"`+strings.Repeat("x", 1<<20)+`"}`, 413)
}

// Whoever tries, with whatever program: a schema that would break a reader or a writer is not registered, and what is
// there stays as it is. A registry that held to nothing would let a data team find out in production.
func TestRegistryRefusesAnIncompatibleSchema(t *testing.T) {
	dir := t.TempDir()
	r, client := startRegistry(t, dir)
	if _, err := schemas.Register(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	before := ids(t, client)
	first := schemas.MessageSent.Schema()
	refused := strings.Replace(first, `"fields": [`, `"fields": [{"name": "mood", "type": "string"},`, 1)
	taken := strings.Replace(first, `"fields": [`, `"fields": [{"name": "mood", "type": "string", "default": ""},`, 1)
	for range 2 { // before and after a restart
		_, err := client.Register(t.Context(), schemas.MessageSent.Subject(), refused)
		if err == nil || !strings.Contains(err.Error(), "incompatible") || errors.Is(err, chat.ErrUnavailable) {
			t.Errorf("a field without a default: %v; want a refusal for good", err)
		}
		if _, err := client.Register(t.Context(), "somebody-value", refused); err != nil {
			t.Errorf("the same under a subject of its own: %v", err)
		}
		if got := ids(t, client); fmt.Sprint(got) != fmt.Sprint(before) {
			t.Errorf("ids are %v; were %v", got, before)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		r, client = startRegistry(t, dir)
	}
	if _, err := client.Register(t.Context(), schemas.MessageSent.Subject(), taken); err != nil {
		t.Errorf("a field with a default: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
