package socketio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// bothWays runs a test on a socket, which is read without a buffer, and on a pipe, which is not.
func bothWays(t *testing.T, test func(t *testing.T, client, server net.Conn)) {
	t.Run("socket", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = listener.Close() }()
		client, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		server, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		test(t, client, server)
	})
	t.Run("pipe", func(t *testing.T) {
		client, server := net.Pipe()
		test(t, client, server)
	})
}

func testReader(conn net.Conn, limit int, aside func(byte, []byte) error) *frameReader {
	_ = conn.SetDeadline(time.Now().Add(patience))
	return newFrameReader(conn, &sync.Pool{New: func() any { b := make([]byte, readBuffer); return &b }}, limit, aside)
}

// TestFrameReader reads messages of every kind, written at once and byte by byte.
func TestFrameReader(t *testing.T) {
	long := strings.Repeat("0123456789abcdef-", 12_000) // as big as several buffers
	var wire []byte
	for _, f := range []struct {
		head byte
		text string
	}{
		{0x81, "short"}, {0x82, "\x00\xff"}, {0x81, ""}, {0x82, ""}, {0x81, strings.Repeat("x", 125)}, {0x81, strings.Repeat("y", 126)},
		{0x01, "in "}, {0x89, "ping"}, {0x00, "th"}, {0x8a, "pong"}, {0x80, "ree"}, {0x81, long}, {0x02, long[:70_000]}, {0x80, long[70_000:]},
		{0x88, "\x03\xe9bye"},
	} {
		wire = append(wire, clientFrame(f.head, []byte(f.text))...)
	}
	want := []struct {
		text   string
		binary bool
	}{
		{"short", false}, {"\x00\xff", true}, {"", false}, {"", true}, {strings.Repeat("x", 125), false}, {strings.Repeat("y", 126), false},
		{"in three", false}, {long, false}, {long, true},
	}
	for name, step := range map[string]int{"at once": len(wire), "in sevens": 7, "in pieces": 3001} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, client, server net.Conn) {
				go func() {
					for rest := wire; len(rest) > 0; rest = rest[min(step, len(rest)):] {
						if _, err := client.Write(rest[:min(step, len(rest))]); err != nil {
							t.Error(err)
							return
						}
					}
				}()
				var aside []string
				r := testReader(server, len(long), func(op byte, data []byte) error {
					aside = append(aside, fmt.Sprint(op, string(data)))
					return nil
				})
				var kept [][]byte
				for i, w := range want {
					if err := r.wait(); err != nil {
						t.Fatal(err)
					}
					data, binary, err := r.next()
					if err != nil || data == nil || binary != w.binary {
						t.Fatalf("message %d: %q, %v, %v", i, data, binary, err)
					}
					kept = append(kept, data)
				}
				for i, w := range want { // only now: a message is memory of its own
					if string(kept[i]) != w.text {
						t.Errorf("message %d: %d bytes, want %d", i, len(kept[i]), len(w.text))
					}
				}
				var closed *peerClosed
				if _, _, err := r.next(); !errors.As(err, &closed) || closed.code != websocket.CloseGoingAway {
					t.Errorf("the end is %v", err)
				}
				if want := []string{"1", "9ping", "0", "10pong", "0", "2", "0"}; !slices.Equal(aside, want) {
					t.Errorf("aside %q, want %q", aside, want)
				}
				_, _ = client.Close(), server.Close()
			})
		})
	}
}

// TestFrameReaderRefuses ends on the first frame that breaks the rules, and takes no memory for what is
// only announced.
func TestFrameReaderRefuses(t *testing.T) {
	huge := binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, 1<<62)
	for name, c := range map[string]struct {
		wire []byte
		want error
	}{
		"no mask":                  {[]byte{0x81, 1, 'x'}, errProtocol},
		"reserved bit":             {clientFrame(0xc1, []byte("x")), errProtocol},
		"unknown type":             {clientFrame(0x83, nil), errProtocol},
		"unknown control":          {clientFrame(0x8b, nil), errProtocol},
		"ping in parts":            {clientFrame(0x09, nil), errProtocol},
		"long ping":                {clientFrame(0x89, make([]byte, 126)), errProtocol},
		"continuation of nothing":  {clientFrame(0x80, []byte("x")), errProtocol},
		"message within a message": {append(clientFrame(0x01, []byte("x")), clientFrame(0x81, []byte("y"))...), errProtocol},
		"close with half a code":   {clientFrame(0x88, []byte{3}), errProtocol},
		"close with code 1005":     {clientFrame(0x88, []byte{3, 237}), errProtocol},
		"close with code 999":      {clientFrame(0x88, []byte{3, 231}), errProtocol},
		"close with bad text":      {clientFrame(0x88, []byte{3, 232, 0xff}), errProtocol},
		"bad text":                 {clientFrame(0x81, []byte{0xff}), errBadText},
		"bad text over two frames": {append(clientFrame(0x01, []byte{0xc3}), clientFrame(0x80, []byte{'x'})...), errBadText},
		"too large":                {clientFrame(0x82, make([]byte, 1001)), errTooLarge},
		"too large in parts":       {append(clientFrame(0x02, make([]byte, 999)), clientFrame(0x80, make([]byte, 2))...), errTooLarge},
		"huge":                     {append(huge, 0, 0, 0, 0), errTooLarge},
		"cut in a header":          {[]byte{0x81}, io.EOF},
		"cut in a message":         {clientFrame(0x81, []byte("text"))[:8], io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, client, server net.Conn) {
				go func() {
					_, _ = client.Write(c.wire)
					_ = client.Close()
				}()
				r := testReader(server, 1000, func(byte, []byte) error { return nil })
				for range 2 { // and stays at its end
					if data, _, err := r.next(); !errors.Is(err, c.want) || data != nil {
						t.Errorf("%q, %v", data, err)
					}
				}
				_ = server.Close()
			})
		})
	}
}

// TestLargeAnswers gets back what it sends, though the first write of each answer cannot take all of it:
// over TCP, and over TLS, which is neither read nor written past its own buffers.
func TestLargeAnswers(t *testing.T) {
	for name, serve := range map[string]func(http.Handler) *httptest.Server{"tcp": httptest.NewServer, "tls": httptest.NewTLSServer} {
		t.Run(name, func(t *testing.T) {
			s := New(Config{MaxPayload: 8 << 20, SendBuffer: 64 << 20})
			s.Namespace("/chat", echoed())
			server := serve(s)
			defer server.Close()
			defer func() { _ = s.Shutdown(t.Context()) }()
			dialer := websocket.Dialer{HandshakeTimeout: patience, NetDial: func(network, address string) (net.Conn, error) {
				conn, err := net.Dial(network, address)
				if err == nil {
					err = conn.(*net.TCPConn).SetReadBuffer(64 << 10)
				}
				return conn, err
			}}
			if transport, ok := server.Client().Transport.(*http.Transport); ok {
				dialer.TLSClientConfig = transport.TLSClientConfig
			}
			conn, _, err := dialer.Dial("ws"+strings.TrimPrefix(server.URL, "http")+"/socket.io/?EIO=4&transport=websocket", nil)
			if err != nil {
				t.Fatal(err)
			}
			p := &wsPeer{t: t, conn: conn}
			defer p.close()
			expect(t, p, "0{")
			join(t, p)
			large := strings.Repeat("0123456789abcdef", 4<<20/16)
			for i, text := range []string{large, "small", large} {
				message := strconv.Itoa(i) + `["x","` + text + `"]`
				p.send("42/chat," + message)
				time.Sleep(20 * time.Millisecond) // for the answer to meet a client that does not read yet
				if got, err := p.next(); err != nil || got != "43/chat,"+strings.Replace(message, `"x",`, "", 1) {
					t.Fatalf("message %d came back as %d bytes, %v", i, len(got), err)
				}
			}
		})
	}
}

// TestUnmask takes masks off at every offset and length.
func TestUnmask(t *testing.T) {
	mask := [4]byte{1, 0x80, 0, 0xff}
	plain := []byte("a text that is longer than two words of eight bytes")
	for offset := range 9 {
		for length := range len(plain) {
			b := bytes.Clone(plain[:length])
			for i := range b {
				b[i] ^= mask[(offset+i)%4]
			}
			if unmask(b, mask, offset); !bytes.Equal(b, plain[:length]) {
				t.Fatalf("offset %d, length %d: %q", offset, length, b)
			}
		}
	}
}
