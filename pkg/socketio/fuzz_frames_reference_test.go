package socketio

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

// recording is a layer that keeps what it is given.
type recording struct {
	echoLayer
	messages []string
	done     chan struct{}
}

func (r *recording) message(data []byte, binary bool) string {
	r.messages = append(r.messages, fmt.Sprint(binary, " ", string(data)))
	return ""
}

func (r *recording) ended(string) { close(r.done) }

// halves is a connection of two pipes, whose client can end its own side only.
type halves struct {
	net.Conn // what is read
	out      net.Conn
}

func (h halves) Write(b []byte) (int, error)        { return h.out.Write(b) }
func (h halves) SetWriteDeadline(t time.Time) error { return h.out.SetWriteDeadline(t) }
func (h halves) SetDeadline(t time.Time) error {
	return errors.Join(h.Conn.SetDeadline(t), h.out.SetDeadline(t))
}
func (h halves) Close() error      { return errors.Join(h.Conn.Close(), h.out.Close()) }
func (h halves) CloseWrite() error { return h.out.Close() }

// twoPipes returns both ends of a connection that is no socket.
func twoPipes() (client, server net.Conn) {
	here, there := net.Pipe()
	back, forth := net.Pipe()
	return halves{back, here}, halves{there, forth}
}

// websocketRequest asks for a websocket.
func websocketRequest() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/socket.io/?EIO=4&transport=websocket", nil)
	r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
	return r
}

// reference reads frames with gorilla/websocket and says what messages a session makes of them.
func reference(frames []byte, limit int) (messages []string, err error) {
	client, server := net.Pipe()
	go func() { _, _ = io.Copy(io.Discard, client) }()
	conn, err := new(websocket.Upgrader).Upgrade(pipeWriter{httptest.NewRecorder(), server}, websocketRequest(), nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	conn.SetReadLimit(int64(limit))
	conn.SetPingHandler(func(string) error { return nil })
	go func() {
		_, _ = client.Write(frames)
		_ = client.Close()
	}()
	for {
		kind, data, err := conn.ReadMessage()
		switch {
		case err != nil:
			return messages, nil
		case kind == websocket.BinaryMessage:
			messages = append(messages, "true "+string(data))
		case len(data) == 0 || !utf8.Valid(data):
			return messages, nil
		case data[0] == engineMessage:
			messages = append(messages, "false "+string(data[1:]))
		case data[0] != enginePong && data[0] != engineNoop:
			return messages, nil
		}
	}
}

// FuzzFramesLikeGorilla reads any bytes as another implementation does, from a socket of the system's own and
// from one that is none, whole and cut in two.
func FuzzFramesLikeGorilla(f *testing.F) {
	const limit = 300
	long := make([]byte, 200)
	for i := range long {
		long[i] = byte('a' + i%26)
	}
	masked := []byte{0x81, 0x83, 1, 2, 3, 4, '4' ^ 1, 'h' ^ 2, 'i' ^ 3}
	for _, frames := range [][]byte{
		masked,
		append(clientFrame(0x01, append([]byte("4"), long...)), clientFrame(0x80, []byte("end"))...),
		append(clientFrame(0x01, append([]byte("4"), long...)), clientFrame(0x80, long)...), // too large
		append(append(clientFrame(0x02, long), clientFrame(0x89, []byte("ping"))...), clientFrame(0x80, nil)...),
		append(clientFrame(0x82, nil), masked...),
		append(clientFrame(0x81, []byte("3")), clientFrame(0x88, []byte{3, 232, 'b', 'y', 'e'})...),
		{0x81, 0xfe, 0, 3, 0, 0, 0, 0, '4', 'h', 'i'}, // a length longer than it needs to be
		{0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, '4', 'x'},
		clientFrame(0x8a, long[:125]), clientFrame(0x81, []byte("4\xff")), clientFrame(0x88, []byte{3, 237}),
	} {
		f.Add(frames, uint8(len(frames)/2), true)
		f.Add(frames, uint8(1), false)
	}
	s := New(Config{MaxPayload: limit, DrainTimeout: 10 * time.Millisecond})
	layers := make(chan *recording, 1)
	s.newLayer = func(*session) layer {
		r := &recording{done: make(chan struct{})}
		layers <- r
		return r
	}
	listener, err := net.Listen("unix", f.TempDir()+"/s")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = listener.Close() })

	f.Fuzz(func(t *testing.T, frames []byte, cut uint8, raw bool) {
		if len(frames) > 16<<10 {
			return
		}
		want, err := reference(frames, limit)
		if err != nil {
			return
		}
		client, server := twoPipes()
		if raw {
			if client, err = net.Dial("unix", listener.Addr().String()); err == nil {
				server, err = listener.Accept()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		read := make(chan struct{})
		go func() {
			defer close(read)
			_, _ = io.Copy(io.Discard, client)
		}()
		s.ServeHTTP(pipeWriter{httptest.NewRecorder(), server}, websocketRequest())
		layer := <-layers
		_ = client.SetWriteDeadline(time.Now().Add(patience))
		half := min(int(cut), len(frames))
		_, _ = client.Write(frames[:half]) // these fail where the connection is closed halfway
		_, _ = client.Write(frames[half:])
		_ = client.(interface{ CloseWrite() error }).CloseWrite() // all that was sent is read, and all that is answered
		receive(t, "the session's end", layer.done)
		_ = client.Close()
		<-read
		if !slices.Equal(layer.messages, want) {
			t.Fatalf("read %q, gorilla reads %q", layer.messages, want)
		}
	})
}
