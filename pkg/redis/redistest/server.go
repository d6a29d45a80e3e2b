package redistest

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/dozaar/dozaar/pkg/redis"
)

// Server is a real redis-server on a free port, which keeps nothing over a restart.
type Server struct {
	t    testing.TB
	path string
	addr string
	port string
	dir  string
	args []string
	cmd  *exec.Cmd

	clientOnce sync.Once
	client     *goredis.Client
}

// StartServer starts one for the duration of the test. Where there is no redis-server the test fails
// in CI, and is skipped elsewhere.
func StartServer(t testing.TB) *Server {
	t.Helper()
	return startServer(t)
}

// StartClusterOfOne starts a cluster of one node for the duration of the test: it refuses what a larger one
// would, such as a script on keys of several slots.
func StartClusterOfOne(t testing.TB) *Server {
	t.Helper()
	s := startNode(t)
	client := direct(t, s)
	if err := client.Do(t.Context(), "CLUSTER", "ADDSLOTSRANGE", 0, slots-1).Err(); err != nil {
		t.Fatal(err)
	}
	await(t, "the cluster takes its slots", func() bool { return client.Set(t.Context(), "ready", 1, time.Millisecond).Err() == nil })
	return s
}

func startServer(t testing.TB, args ...string) *Server {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("redis-server is missing: in CI the tests against a real Redis must run")
		}
		t.Skip("SKIPPED, NOT TESTED AGAINST A REAL REDIS: install redis-server to run this test")
	}
	s := &Server{t: t, path: path, dir: t.TempDir(), args: args}
	for range 5 { // a port that was free a moment ago may be taken by now
		s.addr = freeAddr(t)
		_, s.port, _ = net.SplitHostPort(s.addr)
		if s.start() {
			t.Cleanup(s.Kill)
			return s
		}
	}
	t.Fatal("redis-server does not start")
	return nil
}

// Addr is host:port.
func (s *Server) Addr() string { return s.addr }

func addrs(servers []*Server) (list []string) {
	for _, s := range servers {
		list = append(list, s.addr)
	}
	return list
}

// Pause stops it without closing its connections: to everybody else it is a host behind a cut cable.
func (s *Server) Pause() {
	s.t.Helper()
	s.signal(syscall.SIGSTOP)
}

// Resume lets it go on where it was paused, with what it believed then.
func (s *Server) Resume() {
	s.t.Helper()
	s.signal(syscall.SIGCONT)
}

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("signal %v: %v", sig, err)
	}
}

// Kill ends it at once, as a crash would, paused or not. Nothing is kept.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Restart starts it again, empty, on the same port.
func (s *Server) Restart() {
	s.t.Helper()
	if !s.start() {
		s.t.Fatal("redis-server does not start again")
	}
}

func (s *Server) start() bool {
	s.t.Helper()
	_ = os.Remove(filepath.Join(s.dir, "dump.rdb")) // a replica writes one while it follows its master
	args := []string{"--bind", "127.0.0.1", "--port", s.port, "--dir", s.dir}
	if !slices.Contains(s.args, "--sentinel") {
		args = append(args, "--save", "", "--appendonly", "no")
	}
	cmd := exec.Command(s.path, slices.Concat(s.config(), args, s.args)...)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.cmd = cmd
	client, err := redis.Open(redis.Config{Addrs: []string{s.addr}})
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		info, err := client.InfoMap(ctx, "server").Result()
		cancel()
		if err != nil {
			continue
		}
		// Another process's server on our port must not be taken for ours.
		if info["Server"]["process_id"] == pid(cmd) {
			return true
		}
		break
	}
	s.Kill()
	return false
}

// config is a Sentinel's configuration file, which it writes its own state into.
func (s *Server) config() []string {
	if !slices.Contains(s.args, "--sentinel") {
		return nil
	}
	file := filepath.Join(s.dir, "sentinel.conf")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return []string{file}
}

func pid(cmd *exec.Cmd) string { return strconv.Itoa(cmd.Process.Pid) }

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
