package cassandra

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// gatheringPair is a connection that gathers and the server's end of it.
func gatheringPair(t *testing.T, timeout time.Duration) (client, server net.Conn) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err = gatherer{timeout: timeout, log: slog.New(slog.DiscardHandler)}.DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if server, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return client, server
}

// What many write at once arrives whole, and each writer's in order.
func TestGatheringKeepsWhatIsWrittenWhole(t *testing.T) {
	client, server := gatheringPair(t, time.Minute)
	const writers, each = 50, 200
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for n := range each {
				line := fmt.Sprintf("%d %d %s\n", w, n, strings.Repeat("x", n*7%1000))
				if _, err := client.Write([]byte(line)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() {
		all.Wait()
		if _, err := client.Write([]byte("end\n")); err != nil {
			t.Error(err)
		}
	}()
	next := make([]int, writers)
	var got bytes.Buffer
	for buffer := make([]byte, 4096); !bytes.HasSuffix(got.Bytes(), []byte("end\n")); {
		n, err := server.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		got.Write(buffer[:n])
	}
	for _, line := range strings.Split(strings.TrimSuffix(got.String(), "end\n"), "\n") {
		var w, n int
		var text string
		if count, _ := fmt.Sscanf(line, "%d %d %s", &w, &n, &text); count < 2 {
			continue
		}
		if n != next[w] || len(text) != n*7%1000 {
			t.Fatalf("writer %d: %d with %d bytes came, not %d", w, n, len(text), next[w])
		}
		next[w]++
	}
	for w, n := range next {
		if n != each {
			t.Errorf("writer %d: %d of %d arrived", w, n, each)
		}
	}
}

// A peer that reads nothing holds writers up, but not for ever, and what waits is bounded; then the connection is closed.
func TestGatheringEndsWhereNobodyReads(t *testing.T) {
	client, _ := gatheringPair(t, 200*time.Millisecond)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for chunk := make([]byte, 64<<10); ; {
			if _, err := client.Write(chunk); err != nil {
				return
			}
			g := client.(*gathering)
			g.mu.Lock()
			if len(g.waiting) > gatherBytes+len(chunk) {
				t.Errorf("%d bytes wait", len(g.waiting))
			}
			g.mu.Unlock()
		}
	}()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("a writer still waits")
	}
	if _, err := client.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a read gives %v, though the connection was closed at our end", err)
	}
}

// Closing frees whoever waits to write.
func TestGatheringIsClosed(t *testing.T) {
	client, _ := gatheringPair(t, time.Hour)
	ended := make(chan error)
	go func() {
		for chunk := make([]byte, 64<<10); ; {
			if _, err := client.Write(chunk); err != nil {
				ended <- err
				return
			}
		}
	}()
	time.Sleep(50 * time.Millisecond) // longer or shorter, it makes no difference to the outcome
	client.Close()
	select {
	case err := <-ended:
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("a write gives %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("a writer still waits")
	}
}

// TLS stands on top of it, as the driver puts it there: what is written is one side's records, in their order.
func TestGatheringUnderTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	defer server.Close()
	client := server.Client()
	client.Transport.(*http.Transport).DialContext = gatherer{timeout: time.Minute, log: slog.New(slog.DiscardHandler)}.DialContext
	body := strings.Repeat("all of it, in order. ", 100_000)
	for range 3 { // the connection is kept
		response, err := client.Post(server.URL, "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		back, err := io.ReadAll(response.Body)
		if err != nil || string(back) != body {
			t.Fatalf("%d of %d bytes came back, %v", len(back), len(body), err)
		}
		response.Body.Close()
	}
}
