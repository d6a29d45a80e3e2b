package schemas

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the newest versions' golden records into testdata, and note what is new as never to change")

// The golden records are what readers and writers of other versions and in other languages are held to:
// one file per record, the value as hex, as the newest version writes it. Those of earlier versions are read only.
func TestGoldenRecords(t *testing.T) {
	c := newCodec(t, newBook(t))
	for name, m := range messages() {
		golden(t, MessageSent, name, m, c.EncodeMessage, c.DecodeMessage)
	}
	for name, r := range receipts() {
		golden(t, MessageRead, name, r, c.EncodeReceipt, c.DecodeReceipt)
	}
	for name, m := range storedMessages() {
		golden(t, MessageStored, name, m, c.EncodeStored, c.DecodeStored)
	}
	for name, e := range erasures() {
		golden(t, UserErased, name, e, c.EncodeErasure, c.DecodeErasure)
	}
	for name, e := range conversations() {
		golden(t, ConversationChanged, name, e, c.EncodeConversationEvent, c.DecodeConversationEvent)
	}
	for name, p := range presences() {
		golden(t, PresenceChanged, name, p, c.EncodePresence, c.DecodePresence)
	}
	for name, n := range notifications() {
		golden(t, NotificationDue, name, n, c.EncodeNotification, c.DecodeNotification)
	}
}

func golden[T any](t *testing.T, e Event, name string, value T, encode func(T) ([]byte, error), decode func([]byte) (T, error)) {
	t.Helper()
	file := fmt.Sprintf("v%d-%s.hex", len(e.Versions()), strings.ReplaceAll(name, " ", "-"))
	path := filepath.Join("testdata", e.Name, file)
	encoded, err := encode(value)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(lines(hex.EncodeToString(encoded))), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test ./schemas -update makes it)", err)
	}
	want, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if string(encoded) != string(want) {
		t.Errorf("%s: this program writes %x", path, encoded)
	}
	if got, err := decode(want); err != nil || !reflect.DeepEqual(got, value) {
		t.Errorf("%s: reads as %+v, %v", path, got, err)
	}
}

func lines(s string) string {
	var b strings.Builder
	for len(s) > 64 {
		b.WriteString(s[:64] + "\n")
		s = s[64:]
	}
	b.WriteString(s + "\n")
	return b.String()
}
