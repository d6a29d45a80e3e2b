package gateway

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/dozaar/dozaar/schemas"
)

// contract is schemas/asyncapi.yaml: every payload and every acknowledgement that the tests of this package see is held
// to it. A field that it does not know is a fault, too.
type contract struct {
	payloads, acknowledged map[string]*jsonschema.Schema // by event
	emits, hears           []string
}

var described = readContract()

func readContract() contract {
	var doc map[string]any
	if err := yaml.Unmarshal(schemas.AsyncAPI, &doc); err != nil {
		panic(err)
	}
	text, err := json.Marshal(doc) // numbers as a JSON document has them
	if err == nil {
		var plain any
		if plain, err = jsonschema.UnmarshalJSON(bytes.NewReader(text)); err == nil {
			doc = plain.(map[string]any)
		}
	}
	if err != nil {
		panic(err)
	}
	components := doc["components"].(map[string]any)
	for _, s := range components["schemas"].(map[string]any) {
		if s := s.(map[string]any); s["properties"] != nil {
			s["additionalProperties"] = false
		}
	}
	c := contract{payloads: map[string]*jsonschema.Schema{}, acknowledged: map[string]*jsonschema.Schema{}}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("asyncapi.json", doc); err != nil {
		panic(err)
	}
	for name, m := range components["messages"].(map[string]any) {
		for field, into := range map[string]map[string]*jsonschema.Schema{"payload": c.payloads, "x-acknowledged": c.acknowledged} {
			if at, has := m.(map[string]any)[field].(map[string]any); has && at["$ref"] != nil {
				into[name] = compiler.MustCompile("asyncapi.json" + at["$ref"].(string))
			}
		}
	}
	c.emits, c.hears = messagesOf(doc, "clientEmits"), messagesOf(doc, "clientHears")
	return c
}

func messagesOf(doc map[string]any, operation string) (names []string) {
	for _, m := range doc["operations"].(map[string]any)[operation].(map[string]any)["messages"].([]any) {
		ref := m.(map[string]any)["$ref"].(string)
		names = append(names, ref[strings.LastIndex(ref, "/")+1:])
	}
	return names
}

// heard holds what a socket is sent to the contract.
func (c contract) heard(t testing.TB, event string, payload json.RawMessage) {
	t.Helper()
	if !slices.Contains(c.hears, event) {
		t.Errorf("the contract has no event %s that a client hears", event)
		return
	}
	c.hold(t, event, c.payloads[event], payload)
}

// answered holds a good acknowledgement to the contract. Of those that say ok alone nothing is described.
func (c contract) answered(t testing.TB, event string, ack map[string]any) {
	t.Helper()
	if ack["ok"] != true || c.acknowledged[event] == nil {
		return
	}
	rest := map[string]any{}
	for k, v := range ack {
		if k != "ok" {
			rest[k] = v
		}
	}
	text, err := json.Marshal(rest)
	if err != nil {
		t.Error(err)
	}
	c.hold(t, "the answer to "+event, c.acknowledged[event], text)
}

func (contract) hold(t testing.TB, what string, to *jsonschema.Schema, text []byte) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err == nil {
		err = to.Validate(value)
	}
	if err != nil {
		t.Errorf("%s is not as schemas/asyncapi.yaml says: %v\n%s", what, err, text)
	}
}

// The contract has the events that the gateway takes, no more and no fewer, and what it describes is refused where it
// should be.
func TestTheContractIsWhole(t *testing.T) {
	var taken []string
	for name := range events {
		taken = append(taken, name)
	}
	slices.Sort(taken)
	emits := slices.Sorted(slices.Values(described.emits))
	if !slices.Equal(taken, emits) {
		t.Errorf("the gateway takes %v, the contract has %v", taken, emits)
	}
	for _, name := range slices.Concat(described.emits, described.hears) {
		if described.payloads[name] == nil {
			t.Errorf("%s has no payload", name)
		}
	}
	good := `{"userId":"b0000000-0000-4000-8000-0000000000b1","timestamp":1}`
	for _, bad := range []string{strings.Replace(good, "b1\"", "b1x\"", 1), strings.Replace(good, "1}", "\"1\"}", 1), strings.Replace(good, "}", `,"more":1}`, 1), `{}`} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(bad))
		if err != nil {
			t.Fatal(err)
		}
		if described.payloads["user:online"].Validate(value) == nil {
			t.Errorf("%s passes", bad)
		}
	}
	described.heard(t, "user:online", json.RawMessage(good))
}
