package strictjson_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/strictjson"
)

type payload struct {
	ConversationID strictjson.ID   `json:"conversationId"`
	Message        *string         `json:"message"`
	URLs           []string        `json:"attachmentUrls"`
	AfterSeq       *int64          `json:"afterSeq"`
	Metadata       json.RawMessage `json:"metadata"`
	Members        []struct {
		UserID strictjson.ID `json:"userId"`
	} `json:"members"`
}

const id = "123e4567-e89b-12d3-a456-426614174000"

func TestObject(t *testing.T) {
	tests := []struct{ name, json, field string }{
		{"all fields", `{"conversationId":"` + id + `","message":"a\u0000😀\ud83d\ude00","attachmentUrls":["x"],"afterSeq":3,"metadata":{"a":[1]}}`, ""},
		{"nulls", `{"conversationId":null,"message":null,"attachmentUrls":null,"afterSeq":null}`, ""},
		{"unknown fields", `{"senderId":1,"x":{"y":[]}}`, ""},
		{"another spelling is another name", `{"CONVERSATIONID":7}`, ""},
		{"not an object", `[]`, "payload"},
		{"a string", `"x"`, "payload"},
		{"null", `null`, "payload"},
		{"nothing", ``, "payload"},
		{"cut off", `{"message":"a"`, "payload"},
		{"something follows", `{} {}`, "payload"},
		{"id is a number", `{"conversationId":1}`, "conversationId"},
		{"id is no UUID", `{"conversationId":"your-conversation-id"}`, "conversationId"},
		{"id in braces", `{"conversationId":"{` + id + `}"}`, "conversationId"},
		{"nil id", `{"conversationId":"00000000-0000-0000-0000-000000000000"}`, "conversationId"},
		{"text is an object", `{"message":{}}`, "message"},
		{"text is a list", `{"message":["a"]}`, "message"},
		{"list is text", `{"attachmentUrls":"x"}`, "attachmentUrls"},
		{"item is a number", `{"attachmentUrls":["x",1]}`, "attachmentUrls[1]"},
		{"nested id", `{"members":[{"userId":"` + id + `"},{"userId":"x"}]}`, "members[1].userId"},
		{"huge number", `{"afterSeq":1e999}`, "afterSeq"},
		{"fraction", `{"afterSeq":1.5}`, "afterSeq"},
		{"name twice", `{"message":"a","message":"b"}`, "message"},
		{"lone surrogate", `{"message":"\ud800"}`, "message"},
		{"invalid UTF-8", "{\"message\":\"a\xff\"}", "message"},
		{"unescaped control character", "{\"message\":\"a\nb\"}", "message"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := strictjson.Object([]byte(tt.json), new(payload), "payload")
			if tt.field == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			if err == nil {
				t.Fatal("accepted")
			}
			if e := chat.AsError(err); e.Code != chat.CodeInvalid || e.Field != tt.field {
				t.Errorf("got %s about %q (%v), want invalid about %q", e.Code, e.Field, err, tt.field)
			}
		})
	}
}

func TestDepthAndNamesAreBounded(t *testing.T) {
	for _, text := range []string{
		`{"x":` + strings.Repeat("[", 100_000),
		`{"x":` + strings.Repeat(`{"a":`, 100_000),
		`{"` + strings.Repeat("n", 100_000) + `":}`,
	} {
		err := strictjson.Object([]byte(text), new(payload), "payload")
		if err == nil {
			t.Fatal("accepted")
		}
		if len(err.Error()) > 1_000 {
			t.Errorf("the error has %d bytes", len(err.Error()))
		}
	}
}

func FuzzObject(f *testing.F) {
	f.Add([]byte(`{"conversationId":"` + id + `","message":"x","attachmentUrls":["y"],"afterSeq":1}`))
	f.Add([]byte(`{"members":[{"userId":1}]}`))
	f.Add([]byte("{\"message\":\"\xff\"}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var p payload
		err := strictjson.Object(data, &p, "payload")
		if err != nil {
			e := chat.AsError(err)
			if e.Code != chat.CodeInvalid || e.Field == "" || len(e.Field) > 256 || !utf8.ValidString(e.Error()) {
				t.Fatalf("a poor error: %q", err)
			}
			return
		}
		if !json.Valid(data) {
			t.Fatalf("accepted what is no JSON: %q", data)
		}
	})
}
