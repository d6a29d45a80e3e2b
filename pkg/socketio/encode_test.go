package socketio

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestEncodeArguments holds what is written by hand against what encoding/json writes.
func TestEncodeArguments(t *testing.T) {
	type pair struct {
		B int    `json:"b"`
		A string `json:"a"`
	}
	for _, arg := range []any{
		"", "plain", `"quoted"`, `back\slash`, "line\nbreak", "\x00\x7f", "<&>", "ü\u2028", "half \xff", strings.Repeat("x", 5000),
		json.RawMessage(`{"b":1,"a":[true,null]}`), json.RawMessage(`"text"`), json.RawMessage(`{"a":1,"a":2}`),
		json.RawMessage("\"half \xff\""), json.RawMessage(`"\ud800"`), json.RawMessage(nil),
		pair{1, "<x>"}, 7, 1.5, nil, []string{"a"},
	} {
		p, err := Encode("/chat", "e", arg, "behind")
		if err != nil {
			t.Errorf("%q: %v", arg, err)
			continue
		}
		var want strings.Builder
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode([]any{"e", arg, "behind"}); err != nil {
			t.Fatal(err)
		}
		if got := string(p.Payload()); got+"\n" != "42/chat,"+want.String() {
			t.Errorf("%q: %q, want %q", arg, got, want.String())
		}
	}
	for _, arg := range []any{json.RawMessage(""), json.RawMessage(`{"a":`), json.RawMessage(`1 2`), json.RawMessage(`],["x"`), make(chan int)} {
		if p, err := Encode("/chat", "e", arg); err == nil {
			t.Errorf("%q is encoded as %q", arg, p.Payload())
		}
	}
	spaced := json.RawMessage(" [1,\n 2] ")
	if p, err := Encode("/chat", "e", spaced); err != nil || string(p.Payload()) != `42/chat,["e",`+string(spaced)+`]` {
		t.Errorf("%v, %v", p, err)
	}
}

func TestEncodeForNoNamespace(t *testing.T) {
	for _, name := range []string{"", "chat", "/a,b", "/a?b", "/" + strings.Repeat("x", maxNamespace)} {
		if p, err := Encode(name, "e"); err == nil {
			t.Errorf("%q: %q", name, p.Payload())
		}
	}
}
