package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// TestPlaceholderBesideBinary passes on what a client wrote beside an attachment: official clients refuse the packet, or
// put the attachment in its place.
func TestPlaceholderBesideBinary(t *testing.T) {
	for text, refused := range map[string]bool{
		`{"_placeholder":true,"num":7}`:                                      true,
		`{"_placeholder":true,"num":0}`:                                      true,
		`[1,{"a":{"_placeholder" : 1}}]`:                                     true,
		`{"\u005fplaceholder":true,"num":0}`:                                 true,
		`{"_pl\u0061ceholder":true,"num":0}`:                                 true,
		`{"a":{"_placeholder":true},"a":1}`:                                  true,
		`{"_placeholder":true,"_placeholder":false}`:                         true,
		`"_placeholder"`:                                                     false,
		`{"text":"\"_placeholder\":true"}`:                                   false,
		`["_placeholder",true]`:                                              false,
		`{"text":"\u00e9","n":1e999,"_placeholders":[true,0]}`:               false,
		strings.Repeat("[", 9_000) + `"\u00e9"` + strings.Repeat("]", 9_000): false,
	} {
		for _, args := range [][]any{{json.RawMessage(text), Binary("x")}, {Binary("x"), json.RawMessage(text)}} {
			if p, err := Encode("/c", "file", args...); (err != nil) != refused {
				t.Errorf("%.60s: %v, %v", text, p, err)
			}
		}
		if _, err := Encode("/c", "file", json.RawMessage(text)); err != nil {
			t.Errorf("%.60s without a Binary: %v", text, err)
		}
	}
	type disguised struct {
		P bool `json:"_placeholder"`
	}
	if _, err := Encode("/c", "file", Binary("x"), disguised{}); !errors.Is(err, errPlaceholder) {
		t.Errorf("a struct: %v", err)
	}
}

func TestNestedBinary(t *testing.T) {
	b := Binary("x")
	for name, arg := range map[string]any{
		"map": map[string]any{"file": b}, "slice": []Binary{b}, "struct": struct{ File Binary }{b}, "nil": struct{ File Binary }{},
		"pointer in a map": map[string]any{"file": &b}, "beside": []any{1, b},
	} {
		if p, err := Encode("/c", "file", arg); err == nil || !strings.Contains(err.Error(), "must be an argument itself") {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
	p, err := Encode("/c", "file", &b, (*Binary)(nil), []byte("x"))
	if err != nil || string(p.Payload()) != `451-/c,["file",{"_placeholder":true,"num":0},null,"eA=="]` || string(p.more[0].payload()) != "x" {
		t.Errorf("a pointer: %v, %v", p, err)
	}
}

// TestAttachmentsInside answers an event whose attachments are inside of its argument.
func TestAttachmentsInside(t *testing.T) {
	h := &script{event: func(_ context.Context, _ *Socket, e Event) {
		var in struct {
			Name  string
			Pages []json.RawMessage
		}
		if err := json.Unmarshal(e.Args[0], &in); err != nil || len(in.Pages) != 3 {
			t.Errorf("%s: %v", e.Args[0], err)
			return
		}
		first, ok := e.Attachment(in.Pages[0])
		second, ok2 := e.Attachment(in.Pages[1])
		if _, ok3 := e.Attachment(in.Pages[2]); !ok || !ok2 || ok3 {
			t.Errorf("found %v, %v, and in text %v", ok, ok2, ok3)
		}
		e.Ack(in.Name, first, second)
	}}
	r := newRig(t, Config{MaxAttachments: 2}, one(h))
	p := r.websocket()
	defer p.close()
	join(t, p)
	p.send(`452-/chat,3["scan",{"name":"n","pages":[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0},"no page"]}]`)
	for _, part := range []string{"zero", "one"} {
		if err := p.conn.WriteMessage(websocket.BinaryMessage, []byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{`462-/chat,3["n",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`, "bone", "bzero"} {
		if got := expect(t, p, want[:1]); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
