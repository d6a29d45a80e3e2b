package socketio

import (
	"bytes"
	"encoding/json"
	"errors"
)

// Binary is an argument of Emit, Encode or Ack that travels as a binary attachment. It is one only as an
// argument itself: inside of another it cannot be encoded, which is an error. A []byte is no Binary, but text in
// base64 as everywhere in encoding/json.
type Binary []byte

// MarshalJSON always fails, so that no Binary goes out as text unnoticed.
func (Binary) MarshalJSON() ([]byte, error) {
	return nil, errors.New("a Binary must be an argument itself, not inside of one")
}

// Binary returns argument i where it is an attachment. For one inside of an argument there is Attachment.
func (e Event) Binary(i int) (Binary, bool) {
	if i < 0 || i >= len(e.Args) {
		return nil, false
	}
	return e.Attachment(e.Args[i])
}

// Attachment returns the attachment that a part of Args stands for: decode an argument into a struct which has a
// json.RawMessage where the client put a Buffer, Blob or typed array, and give that.
func (e Event) Attachment(part json.RawMessage) (Binary, bool) {
	if len(e.Attachments) == 0 {
		return nil, false
	}
	var object map[string]any
	if err := json.Unmarshal(part, &object); err != nil {
		return nil, false
	}
	n, is := attachmentOf(object, len(e.Attachments))
	if !is || n < 0 {
		return nil, false
	}
	return e.Attachments[n], true
}

// placeholder stands in JSON for an attachment.
type placeholder struct {
	True bool `json:"_placeholder"`
	Num  int  `json:"num"`
}

var errPlaceholder = errors.New(`a member "_placeholder" beside a Binary: clients would take the object for an attachment`)

// checkBeside refuses an argument, encoded as text, in which a client would find a placeholder. Any member of that
// name makes one: clients differ in what value they take for true, and in which counts of two.
func checkBeside(arg any, text []byte) error {
	if _, ours := arg.(placeholder); ours || !bytes.Contains(text, []byte("_placeholder")) && !bytes.Contains(text, []byte(`\u`)) {
		return nil
	}
	for i := 0; i < len(text); i++ {
		if text[i] != '"' {
			continue
		}
		end := scanString(text, i+1)
		if end < 0 {
			return errJSON
		}
		if next := skipSpace(text, end); next < len(text) && text[next] == ':' {
			var name string
			if err := json.Unmarshal(text[i:end], &name); err != nil {
				return err
			}
			if name == "_placeholder" {
				return errPlaceholder
			}
		}
		i = end - 1
	}
	return nil
}
