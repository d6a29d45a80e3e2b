package socketio

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzPost sends anything at all as the body of a POST, behind a CONNECT or without: Engine.IO packets of
// every type, and what is in them. It is taken whole, or it ends its session.
func FuzzPost(f *testing.F) {
	for _, body := range []string{
		`42/chat,1["x",{}]`, "3", "1", "6", "2", "5", "0{}", "2probe", "40/chat,{}", "41/chat,", "4", "7", "bAAAA", "b", "\x1e", "3\x1e3\x1e6",
		`42/chat,["x"]` + "\x1e" + `41/chat,` + "\x1e" + `42/chat,["x"]`, `451-/chat,["x",{"_placeholder":true,"num":0}]` + "\x1ebAQID", "\xff", "40/other,\x1e1",
	} {
		f.Add([]byte(body), true)
		f.Add([]byte(body), false)
	}
	s := New(Config{MaxPayload: 4096, MaxAttachments: 3, DrainTimeout: 10 * time.Millisecond})
	s.Namespace("/chat", &script{event: func(_ context.Context, _ *Socket, e Event) {
		for _, arg := range e.Args {
			if !json.Valid(arg) || !utf8.ValidString(e.Name) {
				panic(e.Name + string(arg))
			}
		}
		e.Ack(e.Name)
	}})
	serve := func(method, query, body string) *httptest.ResponseRecorder {
		recorder := httptest.NewRecorder()
		s.ServeHTTP(recorder, httptest.NewRequest(method, "/socket.io/?EIO=4&transport=polling"+query, strings.NewReader(body)))
		return recorder
	}
	f.Fuzz(func(t *testing.T, body []byte, connected bool) {
		sid := openSID(t, serve(http.MethodGet, "", "").Body.String())
		if connected {
			serve(http.MethodPost, "&sid="+sid, "40/chat,")
		}
		answer := serve(http.MethodPost, "&sid="+sid, string(body))
		switch answer.Code {
		case http.StatusOK:
			if answer.Body.String() != "ok" {
				t.Fatalf("%q is answered %q", body, answer.Body)
			}
			if sess := s.session(sid); sess != nil {
				sess.abort(ReasonTransportClose)
			}
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		default:
			t.Fatalf("%q is answered with %d", body, answer.Code)
		}
		eventually(t, "the session is forgotten", func() bool { return s.Stats().Connections() == 0 && s.newcomers.count() == 0 })
		if n := (&rig{t: t}).metric(s.metrics.panics); n != 0 {
			t.Fatalf("%v panics", n)
		}
	})
}
