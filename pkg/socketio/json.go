package socketio

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/go-json-experiment/json/jsontext"
)

var errJSON = errors.New("malformed JSON")

// decoderOptions leave to the Handler what the text means: what it says of a name that stands twice, or
// of half a surrogate pair, can name the field, and need not cost the connection.
func decoderOptions() []jsontext.Options {
	return []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
}

// splitArray checks the syntax of a JSON array, whose depth jsontext bounds, and returns its elements, which
// alias data.
func splitArray(data []byte) ([]json.RawMessage, error) {
	value := jsontext.Value(data)
	if value.Kind() != '[' || !value.IsValid(decoderOptions()...) {
		return nil, errJSON
	}
	elements := make([]json.RawMessage, 0, 4)
	rest := bytes.TrimLeft(data, jsonSpace)[1:]
	for {
		rest = bytes.TrimLeft(rest, jsonSpace)
		if rest[0] == ']' {
			return elements, nil
		}
		end := elementEnd(rest)
		element := bytes.TrimRight(rest[:end], jsonSpace)
		elements = append(elements, json.RawMessage(element[:len(element):len(element)]))
		if rest[end] == ',' {
			end++
		}
		rest = rest[end:]
	}
}

const jsonSpace = " \t\r\n"

// elementEnd finds the comma or bracket behind the first element of what is left of an array. The JSON is
// known to be well formed.
func elementEnd(data []byte) int {
	depth, inText := 0, false
	for i := 0; ; i++ {
		switch c := data[i]; {
		case inText:
			if c == '\\' {
				i++
			} else if c == '"' {
				inText = false
			}
		case c == '"':
			inText = true
		case c == '[' || c == '{':
			depth++
		case depth == 0 && (c == ',' || c == ']'):
			return i
		case c == ']' || c == '}':
			depth--
		}
	}
}

// plainText is the text of a JSON string that has no escapes, as most have none.
func plainText(quoted []byte) (string, bool) {
	if bytes.IndexByte(quoted, '\\') >= 0 {
		return "", false
	}
	return string(quoted[1 : len(quoted)-1]), true
}

// checkObject says whether data is a JSON object and nothing else.
func checkObject(data []byte) error {
	value := jsontext.Value(data)
	if value.Kind() != '{' || !value.IsValid(decoderOptions()...) {
		return errJSON
	}
	return nil
}
