package socketio

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestNesting goes as deep as encoding/json does and no deeper, and tells brackets from braces all the
// way up again.
func TestNesting(t *testing.T) {
	for _, depth := range []int{1, 63, 64, 65, 128, 129, 1000, maxNesting, maxNesting + 1} {
		for _, pair := range [][2]string{{"[", "]"}, {`{"a":`, "}"}} {
			inner := strings.Repeat(pair[0], depth-1)
			for _, text := range []string{
				"[" + inner + "0" + strings.Repeat(pair[1], depth-1) + "]",
				"[" + inner + "0" + strings.Repeat(pair[1], depth-1) + "}",
				"[" + inner + "[]" + strings.Repeat(pair[1], depth-1) + "]",
			} {
				_, err := splitArray(nil, []byte(text))
				if want := json.Valid([]byte(text)); (err == nil) != want || validJSON([]byte(text)) != want {
					t.Errorf("%d deep, %.20s…%s: %v, want %v", depth, text, text[len(text)-1:], err, want)
				}
			}
		}
	}
	// Arrays and objects by turns, closed in the wrong order where it changes.
	mixed := strings.Repeat(`[{"a":`, 100) + "1" + strings.Repeat("}]", 100)
	if _, err := splitArray(nil, []byte(mixed)); err != nil {
		t.Error(err)
	}
	for i := range mixed {
		if c := mixed[i]; c == '}' || c == ']' {
			swapped := mixed[:i] + string('}'^']'^c) + mixed[i+1:]
			if _, err := splitArray(nil, []byte(swapped)); err == nil {
				t.Fatalf("byte %d is %q and let in", i, swapped[i])
			}
		}
	}
}

// TestPlainRun stops at each byte that must be escaped, wherever it stands in a word, and at no other.
func TestPlainRun(t *testing.T) {
	for at := range 24 {
		for c := range 256 {
			text := []byte(strings.Repeat("x\xff~", 8))
			text[at] = byte(c)
			want := len(text)
			if c < ' ' || c == '"' || c == '\\' {
				want = at
			}
			if got := plainRun(text); got != want {
				t.Fatalf("%#x at %d: %d", c, at, got)
			}
		}
	}
}

// TestOddArguments is what Event.Args says of JSON whose syntax is all that is right with it.
func TestOddArguments(t *testing.T) {
	args := []string{`{"a":1,"a":2}`, `1e999`, `"\ud800"`}
	p, err := decodePacket([]byte(`2["e",`+strings.Join(args, ",")+`]`), 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range args {
		if got := string(p.args[i]); got != want {
			t.Errorf("%s became %s", want, got)
		}
	}
	var object map[string]int
	if err := json.Unmarshal(p.args[0], &object); err != nil || object["a"] != 2 {
		t.Errorf("%v, %v", object, err)
	}
	var number float64
	if err := json.Unmarshal(p.args[1], &number); err == nil {
		t.Errorf("1e999 is %v", number)
	}
	var text string
	if err := json.Unmarshal(p.args[2], &text); err != nil || text != "\ufffd" {
		t.Errorf("%q, %v", text, err)
	}
}
