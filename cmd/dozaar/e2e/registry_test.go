package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRegistryAway takes the schema registry away from a running product, which does not notice; and from one that starts, which
// waits for it and then goes on. An incompatible schema is refused by the registry, whoever asks.
func TestRegistryAway(t *testing.T) {
	if realEngines() {
		t.Skip("the engines' registry is not this test's to take away")
	}
	address := freeAddress(t)
	dir := t.TempDir()
	registry := func() *process {
		r := newProcess(t, []string{"registry", "--listen", address, "--dir", dir})
		r.admin = address // it answers /readyz where it listens
		r.run()
		return r
	}
	first := registry()
	p := all(t, 1, []string{"--dev"}, []string{"DOZAAR_SCHEMA_REGISTRY_URL=http://" + address})
	p.run()
	gateway := p.gateways[0]
	bea := newPerson("Bea")
	room := gateway.conversation(bea)
	said := &sales{minutes: map[string]int{}}
	said.say(gateway, bea, room, "before")
	p.published(said.messages)
	refused(t, address)
	first.kill()

	said.say(gateway, bea, room, "while it is away")
	p.published(said.messages)
	if got := gateway.texts(room); !slices.Equal(got, []string{"before", "while it is away"}) {
		t.Errorf("the history is %q", got)
	}
	gateway.kill()
	gateway.begin()
	time.Sleep(time.Second)
	if gateway.ready() {
		t.Error("it started without knowing the schemas' ids")
	}
	registry()
	if err := gateway.waitReady(startPatience); err != nil {
		t.Fatal(err)
	}
	said.say(gateway, bea, room, "after")
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if got := gateway.texts(room); slices.Equal(got, []string{"before", "while it is away", "after"}) {
			break
		} else if time.Now().After(end) {
			t.Fatalf("the history is %q", got)
		}
	}
}

// refused tries to break the readers of chat.messages.stored.
func refused(t *testing.T, registry string) {
	t.Helper()
	schema := `{"schema": "{\"type\":\"record\",\"name\":\"MessageStored\",\"namespace\":\"dozaar\",\"fields\":[{\"name\":\"seq\",\"type\":\"string\"}]}"}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+registry+"/subjects/chat.messages.stored-value/versions", strings.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	if status, body := send(t, req); status != http.StatusConflict || !strings.Contains(body, "incompatible") {
		t.Errorf("an incompatible schema is answered %d %s; want 409", status, body)
	}
}
