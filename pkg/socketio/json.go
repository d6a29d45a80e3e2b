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
	decoder := jsontext.NewDecoder(bytes.NewBuffer(data), decoderOptions()...)
	if open, err := decoder.ReadToken(); err != nil || open.Kind() != '[' {
		return nil, errJSON
	}
	var elements []json.RawMessage
	for decoder.PeekKind() != ']' {
		value, err := decoder.ReadValue()
		if err != nil {
			return nil, errJSON
		}
		end := int(decoder.InputOffset())
		elements = append(elements, json.RawMessage(data[end-len(value):end:end]))
	}
	if _, err := decoder.ReadToken(); err != nil {
		return nil, errJSON
	}
	if len(bytes.TrimLeft(data[decoder.InputOffset():], " \t\r\n")) > 0 {
		return nil, errJSON
	}
	return elements, nil
}

// checkObject says whether data is a JSON object and nothing else.
func checkObject(data []byte) error {
	value := jsontext.Value(data)
	if value.Kind() != '{' || !value.IsValid(decoderOptions()...) {
		return errJSON
	}
	return nil
}
