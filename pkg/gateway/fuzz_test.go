package gateway

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/socketio"
)

// FuzzEvent does one event of a stranger's making, in a conversation that they are in. It is acknowledged once;
// what fails says why, in words of the contract, and comes as `exception` too; the socket stays.
func FuzzEvent(f *testing.F) {
	bea := newUser("Bea")
	const here = `{"conversationId":"HERE"` // stands for the conversation
	for _, c := range [][2]string{
		{"join:conversation", here + `,"afterSeq":0}`}, {"join:conversation", here + `,"afterSeq":1e999}`}, {"leave:conversation", here + `}`},
		{"send:message", here + `,"message":"x","attachmentUrls":["https://a.example/b"],"clientMessageId":"6f9619ff-8b86-4d01-b42d-00c04fc964ff"}`},
		{"send:message", here + `,"message":"\ud800"}`}, {"send:message", `null`}, {"send:message", `[]`}, {"typing:start", here + `}`},
		{"typing:stop", here + `,"conversationId":1}`}, {"mark:read", `{"messageId":"6f9619ff-8b86-4d01-b42d-00c04fc964ff"}`},
		{"get:online_status", `{"userIds":["x",1]}`}, {"auth:refresh", `{"token":"x"}`}, {"no:such:event", `{}`}, {"", ``},
	} {
		f.Add(c[0], []byte(c[1]))
	}
	codes := []chat.Code{
		chat.CodeInvalid, chat.CodeUnauthorized, chat.CodeTokenExpired, chat.CodeForbidden, chat.CodeNotFound, chat.CodeNotJoined,
		chat.CodeConflict, chat.CodeTooLarge, chat.CodeRateLimited, chat.CodeUnavailable, chat.CodeInternal,
	}
	f.Fuzz(func(t *testing.T, name string, payload []byte) {
		w := newWorld(t)
		room := w.conversation(bea)
		s, c := w.join(bea, room)
		defer w.disconnected(s)
		payload = []byte(strings.ReplaceAll(string(payload), "HERE", room.String()))
		if len(payload) > 0 && !json.Valid(payload) { // pkg/socketio lets none through
			return
		}
		var acks []string
		w.event(context.Background(), s, name, payload, func(args ...any) {
			raw, err := json.Marshal(args[0])
			if err != nil {
				t.Fatal(err)
			}
			acks = append(acks, string(raw))
		})
		if len(acks) != 1 {
			t.Fatalf("%s %s: acknowledged %q", name, payload, acks)
		}
		var ack failure
		if err := json.Unmarshal([]byte(acks[0]), &ack); err != nil {
			t.Fatal(err)
		}
		exceptions := c.events("exception")
		if ack.OK != (len(exceptions) == 0) || !ack.OK && (!slices.Contains(codes, ack.Code) || ack.Code == chat.CodeInternal || ack.Error == "") {
			t.Fatalf("%s %s: acknowledged %s, exceptions %s", name, payload, acks[0], exceptions)
		}
		if len(exceptions) > 1 || c.closedFor() != "" {
			t.Fatalf("%s %s: exceptions %s, closed for %q", name, payload, exceptions, c.closedFor())
		}
	})
}

// FuzzHandshakeToken finds a token in what a stranger sends, or an error that may be told.
func FuzzHandshakeToken(f *testing.F) {
	for _, c := range [][2]string{
		{`{"token":"a.b.c"}`, ""}, {`{"token":"Bearer a.b.c"}`, ""}, {`{"token":null}`, "bearer a.b.c"}, {`{"token":""}`, "Bearer  x "},
		{`{"token":{"a":1}}`, "Bearer x"}, {`{"token":"a","token":"b"}`, ""}, {`{"TOKEN":"a"}`, ""}, {`{"token":"\ud800"}`, ""},
		{``, "Basic eA=="}, {`{}`, "Bearer"}, {``, "Bearer \x00"},
	} {
		f.Add([]byte(c[0]), c[1])
	}
	f.Fuzz(func(t *testing.T, payload []byte, header string) {
		h := socketio.Handshake{Auth: payload, Header: map[string][]string{"Authorization": {header}}}
		token, err := handshakeToken(h)
		if err != nil {
			if e := chat.AsError(err); token != "" || e.Code != chat.CodeUnauthorized {
				t.Fatalf("%q, %v", token, err)
			}
			return
		}
		if token == "" || len(token) > 3*max(len(payload), len(header)) { // half a surrogate pair becomes U+FFFD
			t.Fatalf("token %q", token)
		}
		if json.Valid(payload) && !utf8.ValidString(token) && !strings.Contains(header, token) {
			t.Fatalf("token %q of %q and %q", token, payload, header)
		}
	})
}
