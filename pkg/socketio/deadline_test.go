package socketio

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// TestHalfPost ends a session whose POST never comes to its end; the connection is answered and closed. So
// is one whose POST is refused before it is read.
func TestHalfPost(t *testing.T) {
	for name, cfg := range map[string]Config{
		"write timeout":   {WriteTimeout: 50 * time.Millisecond},
		"connect timeout": {ConnectTimeout: 200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) { testHalfPost(t, cfg) })
	}
}

func testHalfPost(t *testing.T, cfg Config) {
	reasons := make(chan string, 1)
	r := newRig(t, cfg, one(&script{
		disconnected: func(_ *Socket, reason string) { reasons <- reason },
	}))
	p := r.polling()
	join(t, p)
	for _, query := range []string{p.query(), "transport=polling&sid=forged", "transport=polling", "transport=none"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(r.http.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(patience))
		if _, err := fmt.Fprintf(conn, "POST /socket.io/?EIO=4&%s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n42/chat,[", query); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
			t.Errorf("%s: answered %q, %v", query, answer, err)
		}
	}
	if reason := receive(t, "Disconnected", reasons); reason != ReasonTransportError {
		t.Errorf("reason %q", reason)
	}
}
