package e2e

import (
	"bytes"
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

// process is one running `dozaar`, with ports and data of its own.
type process struct {
	t      testing.TB
	binary string // what `make build` left, unless a test says otherwise
	args   []string
	env    []string
	listen string // where clients connect, if the role has such a place
	admin  string
	cmd    *exec.Cmd
	out    *safeBuffer
	exited chan error
}

// newProcess is one that does not run yet. extra adds to its environment, which is nearly empty otherwise.
func newProcess(t testing.TB, args []string, extra ...string) *process {
	t.Helper()
	p := &process{t: t, binary: built(t), args: args, listen: freeAddress(t), admin: freeAddress(t)}
	p.env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"),
		"DOZAAR_LISTEN=" + p.listen, "DOZAAR_ADMIN_LISTEN=" + p.admin,
		"DOZAAR_DATA_DIR=" + t.TempDir(), "DOZAAR_JWT_SECRET=" + secret,
		"DOZAAR_PRESENCE_GRACE=1s",
	}, extra...)
	t.Cleanup(func() {
		if p.cmd == nil {
			return
		}
		p.kill() // in vain, if it was stopped
		if t.Failed() {
			t.Logf("%s (%s) printed:\n%s", strings.Join(args, " "), p.listen, tail(p.out.String(), 200))
		}
	})
	return p
}

// built is what `make build` left.
func built(t testing.TB) string {
	t.Helper()
	path, err := filepath.Abs("../../../bin/dozaar")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal("bin/dozaar is missing: run `make build` first")
	}
	return path
}

// run starts it, on the same ports and data as before, and waits until it is ready.
func (p *process) run() {
	p.t.Helper()
	p.begin()
	if err := p.waitReady(startPatience); err != nil {
		p.t.Fatal(err)
	}
}

// startPatience is how long a process may take to be ready. Eight of them start on two cores.
const startPatience = 90 * time.Second

// begin starts it and waits for nothing. It ends with the test at the latest.
func (p *process) begin() {
	p.t.Helper()
	p.cmd = exec.Command(p.binary, p.args...)
	p.cmd.Env = p.env
	p.out = &safeBuffer{}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	cmd, exited := p.cmd, make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	p.exited = exited
}

func (p *process) waitReady(within time.Duration) error {
	for end := time.Now().Add(within); !p.ready(); {
		select {
		case err := <-p.exited:
			p.exited <- err
			return fmt.Errorf("%s ended before it was ready: %w\n%s", p.args[0], err, p.out)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s is not ready after %v\n%s", p.args[0], within, p.out)
		}
	}
	return nil
}

func (p *process) ready() bool { return p.probe("/readyz") == http.StatusOK }

// probe is the status with which the admin port answers; 0 if it does not.
func (p *process) probe(path string) int {
	response, err := (&http.Client{Timeout: patience}).Get("http://" + p.admin + path)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	return response.StatusCode
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	err := <-p.exited
	p.exited <- err
}

// stop asks it to end and insists that it does so, cleanly, in bounded time.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-p.exited:
		p.exited <- err
		if err != nil {
			p.t.Errorf("%s after SIGTERM: %v", p.args[0], err)
		}
	case <-time.After(30 * time.Second):
		p.t.Errorf("%s did not end within 30 s of SIGTERM", p.args[0])
		p.kill()
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
		if _, given := addresses.LoadOrStore(l.Addr().String(), true); !given { // the kernel may give one twice
			return l.Addr().String()
		}
	}
}

var addresses sync.Map // that freeAddress has given

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
