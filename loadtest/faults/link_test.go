package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"
)

// TestLink has a program behind the link fetch from a server on the loopback, which takes as long as the link says, and
// reaches it no more once it is cut.
func TestLink(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	l, err := newLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.close(); err != nil {
			t.Error(err)
		}
	}()
	address := server.Addr().(*net.TCPAddr)
	echo := func() (time.Duration, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		cmd := exec.CommandContext(ctx, "ip", "netns", "exec", l.netns, "bash", "-c",
			`exec 3<>"/dev/tcp/127.0.0.1/$0"; echo hello >&3; read -r answer <&3; [ "$answer" = hello ]`, address.String()[len("127.0.0.1:"):])
		err := cmd.Run()
		return time.Since(began), errors.Join(err, ctx.Err())
	}
	if _, err := echo(); err != nil {
		t.Fatalf("through a good link: %v", err)
	}
	l.set(false, 200*time.Millisecond, 0)
	if took, err := echo(); err != nil || took < 800*time.Millisecond { // two ways to connect, two to be answered
		t.Errorf("with 200 ms each way: %v, %v", took, err)
	}
	l.set(true, 0, 0, 1)
	if _, err := echo(); err != nil {
		t.Errorf("with another port cut off: %v", err)
	}
	l.set(true, 0, 0, uint16(address.Port))
	if _, err := echo(); err == nil {
		t.Error("the server was reached through a link that is cut")
	}
	l.set(false, 0, 0)
	if _, err := echo(); err != nil {
		t.Errorf("once it is well again: %v", err)
	}
}
