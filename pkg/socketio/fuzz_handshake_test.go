package socketio

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
)

// FuzzHandshake sends requests with any method, query and headers that net/http lets through. Each is
// answered, with a session or a reason; what a session keeps of its header is the header.
func FuzzHandshake(f *testing.F) {
	const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for _, seed := range [][3]string{
		{"GET", "EIO=4&transport=polling", ""},
		{"GET", "EIO=4&transport=websocket", upgrade},
		{"GET", "EIO=4&transport=websocket", strings.Replace(upgrade, "13", "8", 1)},
		{"GET", "EIO=4&transport=websocket", "Connection: Upgrade, close\r\nUpgrade: h2c, WebSocket\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"},
		{"GET", "EIO=4&transport=polling&sid=__proto__", ""},
		{"POST", "EIO=4&transport=polling&sid=", "Content-Length: 2\r\n"},
		{"POST", "EIO=4&transport=polling", "Transfer-Encoding: chunked\r\n"},
		{"GET", "EIO=3&transport=polling", ""},
		{"GET", "EIO=4;transport=polling&%zz&EIO=4&transport=polling", "Origin: null\r\nX-Forwarded-For: 1.2.3.4, ::1\r\nX-Forwarded-For: \"\r\n"},
		{"OPTIONS", "EIO=4&transport=polling&transport=websocket", "Cookie: a=b; a=c\r\nA:\r\nA: x:y\r\n"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	s := New(Config{
		TrustedProxies: prefixes("192.0.2.0/24"), ConnectionsPerAddress: 1 << 30, DrainTimeout: 10 * time.Millisecond,
		AllowOrigin: func(r *http.Request) bool { return r.Header.Get("Origin") != "null" },
	})
	s.Namespace("/chat", &script{})
	f.Fuzz(func(t *testing.T, method, query, headers string) {
		text := method + " /socket.io/?" + query + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n"
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			return
		}
		r.RemoteAddr = "192.0.2.1:1"
		header := r.Header.Clone()
		if got := packHeader(header).unpack(); len(header) > 0 && !reflect.DeepEqual(got, header) {
			t.Fatalf("%v came back as %v", header, got)
		}
		client, server := net.Pipe()
		var sent bytes.Buffer
		read := make(chan struct{})
		go func() {
			defer close(read)
			_, _ = io.Copy(&sent, client)
		}()
		recorder := httptest.NewRecorder()
		s.ServeHTTP(pipeWriter{recorder, server}, r)
		_ = client.Close()
		<-read
		_ = server.Close()
		body := recorder.Body.Bytes()
		switch {
		case bytes.HasPrefix(sent.Bytes(), []byte("HTTP/1.1 101 ")):
		case recorder.Code == http.StatusOK && len(body) > 0 && body[0] == engineOpen:
			s.session(openSID(t, string(body))).abort(ReasonTransportClose)
		case recorder.Code == http.StatusBadRequest, recorder.Code == http.StatusForbidden:
			if !json.Valid(body) {
				t.Fatalf("%q is refused with %q", text, body)
			}
		default:
			t.Fatalf("%q is answered with %d %q and %q", text, recorder.Code, body, sent.Bytes())
		}
		eventually(t, "the connection is forgotten", func() bool {
			return s.Stats().Connections() == 0 && s.places.allLeft()
		})
	})
}
