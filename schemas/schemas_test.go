package schemas

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/dozaar/dozaar/pkg/chat"
)

type avroField struct {
	Name    string          `json:"name"`
	Type    json.RawMessage `json:"type"`
	Doc     string          `json:"doc"`
	Default json.RawMessage `json:"default"`
}

type avroRecord struct {
	Type   string      `json:"type"`
	Name   string      `json:"name"`
	Doc    string      `json:"doc"`
	Fields []avroField `json:"fields"`
}

func parsed(t *testing.T, e Event) avroRecord {
	t.Helper()
	var r avroRecord
	if err := json.Unmarshal([]byte(e.Schema()), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// Every field says its unit or form, who sets it, and whether it is personal data.
func TestEveryFieldIsDocumented(t *testing.T) {
	for _, e := range Events() {
		r := parsed(t, e)
		if !strings.Contains(r.Doc, e.Topic) {
			t.Errorf("%s: the record's doc does not name its topic", e.Name)
		}
		documented(t, e.Name, r.Fields)
	}
}

func documented(t *testing.T, where string, fields []avroField) {
	t.Helper()
	for _, f := range fields {
		at := where + "." + f.Name
		lower := strings.ToLower(f.Doc)
		if !strings.Contains(lower, "set by the ") {
			t.Errorf("%s: the doc does not say who sets it", at)
		}
		if !strings.Contains(lower, "personal data") {
			t.Errorf("%s: the doc does not say whether it is personal data", at)
		}
		if strings.Contains(string(f.Type), "timestamp-millis") && !strings.Contains(lower, "milliseconds since 1970-01-01 utc") {
			t.Errorf("%s: the doc does not say the unit", at)
		}
		var array struct {
			Items avroRecord `json:"items"`
		}
		if json.Unmarshal(f.Type, &array) == nil && array.Items.Fields != nil {
			documented(t, at, array.Items.Fields)
		}
	}
}

// The structs and the schemas have the same fields in the same order: one that is missing in either
// would be filled with a default, silently.
func TestStructsAgreeWithSchemas(t *testing.T) {
	for _, c := range []struct {
		event Event
		of    any
	}{
		{MessageSent, messageSent{}}, {MessageRead, messageRead{}}, {ConversationChanged, conversationChanged{}}, {MessageStored, messageStored{}},
		{UserErased, userErased{}}, {PresenceChanged, presenceChanged{}}, {NotificationDue, notificationDue{}},
	} {
		agree(t, c.event.Name, parsed(t, c.event).Fields, reflect.TypeOf(c.of))
	}
}

func agree(t *testing.T, where string, fields []avroField, of reflect.Type) {
	t.Helper()
	var want, got []string
	for _, f := range fields {
		want = append(want, f.Name+" "+goType(t, f.Type))
	}
	for i := range of.NumField() {
		f := of.Field(i)
		got = append(got, f.Tag.Get("avro")+" "+f.Type.String())
		var array struct {
			Items avroRecord `json:"items"`
		}
		if i < len(fields) && json.Unmarshal(fields[i].Type, &array) == nil && array.Items.Fields != nil {
			agree(t, where+"."+fields[i].Name, array.Items.Fields, f.Type.Elem())
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s:\nstruct %v\nschema %v", where, got, want)
	}
}

func goType(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	text := strings.Join(strings.Fields(string(raw)), "")
	switch {
	case text == `"string"`:
		return "string"
	case text == `"boolean"`:
		return "bool"
	case text == `"long"`:
		return "int64"
	case text == `{"type":"string","logicalType":"uuid"}`:
		return reflect.TypeOf(chat.ID{}).String()
	case text == `{"type":"long","logicalType":"timestamp-millis"}`:
		return "time.Time"
	case text == `{"type":"array","items":"string"}`:
		return "[]string"
	case text == `{"type":"array","items":"long"}`:
		return "[]int64"
	case strings.HasPrefix(text, `{"type":"array","items":{"type":"record","name":"Member"`):
		return "[]schemas.member"
	case strings.HasPrefix(text, `["null",`):
		return "*" + goType(t, json.RawMessage(strings.TrimSuffix(strings.TrimPrefix(text, `["null",`), "]")))
	}
	t.Fatalf("no Go type is known for %s", text)
	return ""
}

func topic(t *testing.T, name string) Topic {
	t.Helper()
	all, err := Topics()
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range all {
		if topic.Name == name {
			return topic
		}
	}
	t.Fatalf("topics.yaml has no %s", name)
	return Topic{}
}

func TestTopicsAreDescribed(t *testing.T) {
	all, err := Topics()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, topic := range all {
		names = append(names, topic.Name)
		v := reflect.ValueOf(topic)
		for i := range v.NumField() {
			field := v.Type().Field(i).Name
			if empty := v.Field(i).IsZero(); empty && (field != "Event" || topic.Name != TopicDeadLetter) {
				t.Errorf("%s: %s is missing", topic.Name, v.Type().Field(i).Tag.Get("yaml"))
			}
		}
		if topic.Cleanup != "delete" {
			t.Errorf("%s: cleanup %s; a compacted topic keeps what a person did for ever, and streams/erase writes no tombstones", topic.Name, topic.Cleanup)
		}
		if topic.Partitions != 64 {
			t.Errorf("%s: %d partitions; the design says 64", topic.Name, topic.Partitions)
		}
	}
	want := []string{
		TopicMessages, TopicReceipts, TopicConversations, TopicStored, TopicErasures, TopicPresence, TopicNotifications, TopicDeadLetter,
	}
	if !slices.Equal(names, want) {
		t.Errorf("topics %v; want %v", names, want)
	}
}

// What topics.yaml says of an event and of personal data is what the schemas say.
func TestTopicsAgreeWithSchemas(t *testing.T) {
	for _, e := range Events() {
		described := topic(t, e.Topic)
		if described.Event != e.Name {
			t.Errorf("%s: event %q; want %q", e.Topic, described.Event, e.Name)
		}
		var personal []string
		for _, f := range parsed(t, e).Fields {
			if !strings.Contains(f.Doc, "Not personal data") {
				personal = append(personal, f.Name)
			}
		}
		if !slices.Equal(described.PersonalData, personal) {
			t.Errorf("%s: personal data %v in topics.yaml, %v in the schema", e.Topic, described.PersonalData, personal)
		}
	}
}
