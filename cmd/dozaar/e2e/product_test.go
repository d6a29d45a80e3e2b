package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// secret signs the suites' tokens. It is honoured by --dev too.
const secret = "the end-to-end suites sign with this one"

// product is one `dozaar all`, with ports and data of its own.
type product struct {
	t      *testing.T
	args   []string
	env    []string
	listen string
	admin  string
	cmd    *exec.Cmd
	out    *safeBuffer
	exited chan error
}

// start runs the binary that `make build` left and waits until it is ready. extra adds to its environment.
func start(t *testing.T, extra ...string) *product {
	t.Helper()
	return startAs(t, []string{"all", "--dev"}, extra...)
}

// startAs is start for a command of one's own.
func startAs(t *testing.T, args []string, extra ...string) *product {
	t.Helper()
	p := &product{t: t, args: args, listen: freeAddress(t), admin: freeAddress(t)}
	p.env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"),
		"DOZAAR_LISTEN=" + p.listen, "DOZAAR_ADMIN_LISTEN=" + p.admin,
		"DOZAAR_DATA_DIR=" + t.TempDir(), "DOZAAR_JWT_SECRET=" + secret,
		"DOZAAR_PRESENCE_GRACE=1s",
	}, extra...)
	for _, name := range []string{"DOZAAR_KAFKA_BROKERS", "DOZAAR_SCHEMA_REGISTRY_URL", "DOZAAR_CASSANDRA_HOSTS", "DOZAAR_REDIS_ADDRS"} {
		if value := os.Getenv(name); value != "" { // engines of the caller's, in place of the embedded ones
			p.env = append(p.env, name+"="+value)
		}
	}
	p.run()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("the product printed:\n%s", tail(p.out.String(), 200))
		}
	})
	return p
}

// run starts the process on the same ports and data as before.
func (p *product) run() {
	p.t.Helper()
	binary, err := filepath.Abs("../../../bin/dozaar")
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := os.Stat(binary); err != nil {
		p.t.Fatal("bin/dozaar is missing: run `make build` first")
	}
	p.cmd = exec.Command(binary, p.args...)
	p.cmd.Env = p.env
	p.out = &safeBuffer{}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.exited = make(chan error, 1)
	go func() { p.exited <- p.cmd.Wait() }()
	deadline := time.Now().Add(30 * time.Second)
	for !p.ready() {
		select {
		case err := <-p.exited:
			p.exited <- err
			p.t.Fatalf("the product ended before it was ready: %v\n%s", err, p.out.String())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("the product is not ready after 30 s\n%s", p.out.String())
		}
	}
}

func (p *product) ready() bool {
	response, err := http.Get("http://" + p.admin + "/readyz")
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// kill ends the process as a power cut would.
func (p *product) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// stop asks it to end and insists that it does so, cleanly, in bounded time.
func (p *product) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-p.exited:
		if err != nil {
			p.t.Errorf("after SIGTERM: %v", err)
		}
	case <-time.After(20 * time.Second):
		p.t.Error("did not end within 20 s of SIGTERM")
		p.kill()
	}
}

// suite runs a client program against the product.
func (p *product) suite(name string, arg ...string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 4*time.Minute)
	defer cancel()
	cmd := p.command(ctx, name, arg...)
	out, err := cmd.CombinedOutput()
	p.t.Logf("%s", tail(string(out), 400))
	if err != nil {
		p.t.Fatalf("%s: %v", name, err)
	}
}

func (p *product) command(ctx context.Context, name string, arg ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, arg...)
	cmd.Env = append(os.Environ(), "DOZAAR_URL=http://"+p.listen, "DOZAAR_ADMIN_URL=http://"+p.admin, "DOZAAR_JWT_SECRET="+secret)
	return cmd
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(all) > lines {
		all = append([]string{fmt.Sprintf("… %d lines before", len(all)-lines)}, all[len(all)-lines:]...)
	}
	return strings.Join(all, "\n")
}

// safeBuffer is a buffer that one goroutine fills while another reads.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
