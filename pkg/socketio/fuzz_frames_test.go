package socketio

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
	"unicode/utf8"
)

// pipeWriter answers a websocket handshake on a pipe.
type pipeWriter struct {
	http.ResponseWriter
	conn net.Conn
}

func (w pipeWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.conn, bufio.NewReadWriter(bufio.NewReaderSize(w.conn, 64), bufio.NewWriterSize(w.conn, 64)), nil
}

// FuzzFrames sends anything at all on a websocket, once behind a CONNECT and once without. The handler sees
// whole events and nothing else, and the connection ends with its client.
func FuzzFrames(f *testing.F) {
	for _, text := range []string{`42/chat,["x"]`, `41/chat,`, "3", "1", `451-/chat,["x",{"_placeholder":true,"num":0}]`} {
		f.Add(clientFrame(0x81, []byte(text)), true)
	}
	f.Add(append(clientFrame(0x81, []byte(`451-/chat,["x",{"_placeholder":true,"num":0}]`)), clientFrame(0x82, []byte{1})...), true)
	f.Add(append(clientFrame(0x01, []byte(`42/ch`)), clientFrame(0x80, []byte(`at,["x"]`))...), true)
	f.Add(clientFrame(0x81, []byte("40/chat,{}")), false)
	f.Add(clientFrame(0x88, []byte{3, 232}), false)
	f.Add([]byte{0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, true)
	f.Add([]byte{0xc1, 0x82, 1, 2, 3, 4, 5, 6}, false)

	h := &script{event: func(_ context.Context, _ *Socket, e Event) {
		if !utf8.ValidString(e.Name) || reservedEvent(e.Name) {
			panic("event " + e.Name)
		}
		for _, arg := range e.Args {
			if !json.Valid(arg) {
				panic("argument " + string(arg))
			}
		}
	}}
	s := New(Config{MaxPayload: 4096, MaxAttachments: 3, DrainTimeout: 10 * time.Millisecond})
	s.Namespace("/chat", h)
	f.Fuzz(func(t *testing.T, frames []byte, connected bool) {
		if len(frames) > 64<<10 {
			return
		}
		client, server := net.Pipe()
		var got bytes.Buffer
		read := make(chan struct{})
		go func() {
			defer close(read)
			_, _ = io.Copy(&got, client)
		}()
		s.ServeHTTP(pipeWriter{httptest.NewRecorder(), server}, websocketRequest())
		if connected {
			frames = append(clientFrame(0x81, []byte("40/chat,")), frames...)
		}
		_ = client.SetWriteDeadline(time.Now().Add(patience))
		_, _ = client.Write(frames) // fails where the connection is closed halfway
		_ = client.Close()
		<-read
		if !bytes.HasPrefix(got.Bytes(), []byte("HTTP/1.1 101 ")) {
			t.Fatalf("answered %q", got.Bytes())
		}
		eventually(t, "the connection is forgotten", func() bool { return s.Stats().Connections() == 0 })
		if n := (&rig{t: t}).metric(s.metrics.panics); n != 0 {
			t.Fatalf("%v panics", n)
		}
	})
}
