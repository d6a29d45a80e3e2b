package socketio

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzPacket decodes what a client sent. Whatever is let through is whole: its parts are the packet's,
// and encoding/json reads them.
func FuzzPacket(f *testing.F) {
	for _, packets := range hostilePackets() {
		if text := packets[0]; len(text) < 500 && text[0] == '4' {
			f.Add([]byte(text[1:]))
		}
	}
	f.Add([]byte(`2/chat,17["name",{"a":[1,"x"]}]`))
	f.Add([]byte(`51-["name",{"_placeholder":true,"num":0}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if !utf8.Valid(data) { // refused by the transports
			return
		}
		kept := bytes.Clone(data)
		p, err := decodePacket(data, 5)
		if !bytes.Equal(kept, data) {
			t.Fatal("the packet was changed")
		}
		if err != nil {
			return
		}
		if len(p.namespace) == 0 || p.namespace[0] != '/' || len(p.namespace) > maxNamespace {
			t.Fatalf("namespace %q", p.namespace)
		}
		if p.ack < noAck || p.ack > maxAckID || p.attachments < 0 || p.attachments > 5 {
			t.Fatalf("%+v", p)
		}
		switch p.kind {
		case typeConnect:
			if p.payload != nil && !json.Valid(p.payload) {
				t.Fatalf("payload %q", p.payload)
			}
		case typeDisconnect:
		case typeEvent, typeBinaryEvent:
			if reservedEvent(p.name) {
				t.Fatalf("event %q", p.name)
			}
			for _, arg := range p.args {
				if !json.Valid(arg) {
					t.Fatalf("argument %q", arg)
				}
			}
			whole, err := json.Marshal(p.args)
			if err != nil || !bytes.Contains(compacted(t, data[bytes.IndexByte(data, '['):]), bytes.TrimPrefix(whole, []byte("["))) {
				t.Fatalf("arguments %s of %s: %v", whole, data, err)
			}
		default:
			t.Fatalf("type %q was let in", p.kind)
		}
	})
}

func compacted(t *testing.T, data []byte) []byte {
	var plain bytes.Buffer
	if err := json.Compact(&plain, data); err != nil {
		t.Fatal(err)
	}
	var escaped bytes.Buffer
	json.HTMLEscape(&escaped, plain.Bytes())
	return escaped.Bytes()
}

// FuzzSplitArray takes what encoding/json takes, as arrays, as objects and as any value, and reads the
// same elements.
func FuzzSplitArray(f *testing.F) {
	for _, text := range []string{
		`[]`, `["x",{"a":1,"b":[true,null]}]`, `["\ud83d\ude00"]`, `[1e5,-0.1]`, `[{"a":1,"a":2}]`, `["\ud800"]`, `[1e999]`,
		`[{"\u0061":1,"a":2}]`, `[ 1 , 2 ]`, `[01]`, `[[[[[[]]]]]]`, "[\"\x00\"]", `{"a":{"b":[{},"\""]}}`, `["a long text that ends \\"]`,
		`[` + strings.Repeat(`{"a":[`, 70) + strings.Repeat(`]}`, 70) + `]`, `["\u00\x100"]`, `[-]`, `[1.]`, `[1e+]`, `["\x7f\xff"]`, ` null `,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		valid := json.Valid(data)
		starts := func(c string) bool { return bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte(c)) }
		if validJSON(data) != valid || (checkObject(data) == nil) != (valid && starts("{")) {
			t.Fatalf("%q is JSON: %v, an object: %v", data, validJSON(data), checkObject(data))
		}
		got, err := splitArray(nil, data)
		if (err == nil) != (valid && starts("[")) {
			t.Fatalf("%q is an array: %v", data, err)
		}
		if err != nil {
			return
		}
		var want []json.RawMessage
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("%q is let in: %v", data, err)
		}
		if len(got) != len(want) {
			t.Fatalf("%q has %d elements, not %d", data, len(want), len(got))
		}
		for i := range got {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("element %d of %q: %q, want %q", i, data, got[i], want[i])
			}
		}
	})
}

// FuzzPayload splits a POST. Joining the parts again gives what came.
func FuzzPayload(f *testing.F) {
	for _, text := range []string{"4hello", "4a\x1e4b\x1e3", "bAQIDBA==", "", "\x1e", "4\x1e\x1e4", "b", "b!", "7", "2probe"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		packets, err := decodePayload(payload)
		if err != nil {
			return
		}
		var parts []string
		for _, p := range packets {
			if p.binary {
				parts = append(parts, "b"+base64.StdEncoding.EncodeToString(p.data))
			} else {
				parts = append(parts, string(p.data))
			}
		}
		if joined := strings.Join(parts, "\x1e"); joined != strings.NewReplacer("\r", "", "\n", "").Replace(string(payload)) && joined != string(payload) {
			t.Fatalf("%q became %q", payload, joined)
		}
	})
}

// FuzzEncode requires what is encoded to be decoded as it was.
func FuzzEncode(f *testing.F) {
	f.Add("message", "text", int64(7))
	f.Add("<&>\u2028", "\x00\"\\", int64(-1))
	f.Fuzz(func(t *testing.T, name, text string, id int64) {
		if !utf8.ValidString(name) || !utf8.ValidString(text) || reservedEvent(name) {
			return
		}
		if id = max(id, noAck); id > maxAckID {
			return
		}
		first, _, err := encodePacket(nil, typeEvent, "/chat", id, []any{name, text})
		if err != nil {
			t.Fatal(err)
		}
		body := first.payload()
		got, err := decodePacket(body[1:], 0)
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		var back string
		if err := json.Unmarshal(got.args[0], &back); err != nil || got.name != name || back != text || got.ack != id || string(got.namespace) != "/chat" {
			t.Fatalf("%q: %+v, %v", body, got, err)
		}
	})
}
