// Package strictjson reads JSON that a stranger wrote.
//
// It is a thin face on the implementation of encoding/json/v2: names are exact, an object names a
// member once, text is valid Unicode without lone surrogates, nothing follows the value, and depth
// is bounded. What breaks that, or has the wrong type, is an error of the vocabulary with code
// `invalid` that names the field, as in `members[2].userId`. Unknown fields are ignored. It does not
// bound the size of the text: that is for whoever read it from the wire.
package strictjson

import (
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/dozaar/dozaar/pkg/chat"
)

// maxFieldBytes bounds the path in an error: the names in it are a stranger's.
const maxFieldBytes = 200

// Object reads the object in data into the struct that v points to. whole names the object itself
// where no field of it is at fault.
func Object(data []byte, v any, whole string) error {
	if jsontext.Value(data).Kind() != '{' {
		return chat.Invalid(whole, "must be a JSON object")
	}
	err := json.Unmarshal(data, v)
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*json.SemanticError](err); ok {
		return chat.Invalid(field(e.JSONPointer, whole), expected(e))
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return chat.Invalid(field(e.JSONPointer, whole), "is not valid JSON: "+reason(e))
	}
	return chat.Invalid(whole, "is not valid JSON")
}

// field turns /members/2/userId into members[2].userId.
func field(p jsontext.Pointer, whole string) string {
	var b strings.Builder
	for token := range p.Tokens() {
		switch {
		case strings.Trim(token, "0123456789") == "" && token != "":
			b.WriteString("[" + token + "]")
		case b.Len() > 0:
			b.WriteString("." + token)
		default:
			b.WriteString(token)
		}
		if b.Len() > maxFieldBytes {
			return strings.ToValidUTF8(b.String()[:maxFieldBytes], "") + "…"
		}
	}
	if b.Len() == 0 {
		return whole
	}
	return b.String()
}

// expected says what a value of the field's Go type looks like in JSON.
func expected(e *json.SemanticError) string {
	if e.GoType == nil {
		return "has the wrong type"
	}
	t := e.GoType.String()
	switch {
	case strings.HasSuffix(t, "strictjson.ID"):
		return notUUID
	case strings.HasPrefix(t, "[]"):
		return "must be a list"
	case t == "string" || t == "*string":
		return "must be a string"
	case strings.Contains(t, "int"):
		return "must be a whole number"
	case t == "bool" || t == "*bool":
		return "must be true or false"
	default:
		return "must be an object"
	}
}

// reason is the error without the offset and the path, which the field tells better.
func reason(e *jsontext.SyntacticError) string {
	if e.Err == nil {
		return "malformed"
	}
	text := strings.TrimPrefix(e.Err.Error(), "jsontext: ")
	if len(text) > maxFieldBytes {
		text = strings.ToValidUTF8(text[:maxFieldBytes], "") + "…"
	}
	return text
}

const notUUID = "must be a UUID"

// ID is a UUID in a stranger's JSON, in the canonical form only. Absent or null leaves it zero.
type ID struct{ chat.ID }

// UnmarshalText reads the canonical form.
func (i *ID) UnmarshalText(text []byte) error {
	id, ok := chat.ParseID(string(text))
	if !ok {
		return errors.New(notUUID)
	}
	i.ID = id
	return nil
}

// Required refuses an id that was not given.
func (i ID) Required(field string) error {
	if i.ID == (chat.ID{}) {
		return chat.Invalid(field, "is required")
	}
	return nil
}
