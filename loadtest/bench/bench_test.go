package bench

import (
	"bytes"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	line := "4711 (odd (name) 1 2) S 1 4711 4711 0 -1 4194560 1000 0 0 0 123 45 6 7 20 0 9 0 1000 0 0"
	if got, err := parseStat(line); err != nil || got != 1.68 {
		t.Errorf("%v, %v; want 1.68", got, err)
	}
	for _, wrong := range []string{"", "4711", "1 (x) S 1 2 3", strings.Replace(line, "123", "x", 1)} {
		if got, err := parseStat(wrong); err == nil {
			t.Errorf("%q was read as %v", wrong, got)
		}
	}
}

func TestBusy(t *testing.T) {
	const text = "cpu  100 20 30 5000 700 4 6 40 9 9\ncpu0 1 1 1 1 1 1 1 1 0 0\n"
	if got, err := parseBusy(text); err != nil || got != 2 {
		t.Errorf("%v, %v", got, err)
	}
	for _, wrong := range []string{"", "cpu 1 2", "intr 1 2 3 4 5 6 7 8 9", "cpu a 1 1 1 1 1 1 1"} {
		if got, err := parseBusy(wrong); err == nil {
			t.Errorf("%q is %v", wrong, got)
		}
	}
}

func TestCPUSecondsCountsThisProcess(t *testing.T) {
	before, err := CPUSeconds(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		for i := range 1_000_000 {
			_ = bytes.Repeat([]byte{byte(i)}, 1)
		}
		if now, err := CPUSeconds(os.Getpid()); err != nil || now > before+0.05 {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Error("no CPU time was counted while this test used some")
}

// TestClosing ends a connection of which the client has read nothing.
func TestClosing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := Closing(listener.Addr().String()); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	_ = server.SetWriteDeadline(time.Now().Add(time.Second))
	for err == nil { // until the kernel takes no more
		_, err = server.Write(make([]byte, 1<<20))
	}
	_ = server.Close()
	if n, err := Closing(listener.Addr().String()); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestMedian(t *testing.T) {
	if got := Median([]float64{9, 1, 5}); got != 5 {
		t.Error(got)
	}
	if got := Median([]float64{1, 4, 2, 100}); got != 3 {
		t.Error(got)
	}
}

func TestAnswer(t *testing.T) {
	type command struct{ N int }
	double := func(c command) (any, error) {
		if c.N == 0 {
			return nil, errors.New("zero")
		}
		return 2 * c.N, nil
	}
	var out bytes.Buffer
	if err := Answer(strings.NewReader("{\"N\":2}\n{\"N\":3}\n"), &out, double); err != nil || out.String() != "4\n6\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	for _, in := range []string{"{\"N\":0}\n", "nonsense\n"} {
		if err := Answer(strings.NewReader(in), &out, double); err == nil {
			t.Errorf("%q was answered", in)
		}
	}
}
