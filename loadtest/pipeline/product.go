package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// product is the product's processes, each role by itself.
type product struct {
	dir      string // of the binary, the logs and whatever a process keeps
	program  string
	env      []string
	secret   string
	services []*service // in the order of their start
}

// service is one process that stays.
type service struct {
	name          string
	listen, admin string
	probe         string // the path, at admin, that answers once it is ready
	cmd           *exec.Cmd
	ended         chan struct{} // closed when it has ended
}

// The roles and their names in the report.
const (
	gatewayA = "gateway A"
	gatewayB = "gateway B"
	deliver  = "deliver"
	presence = "presence"
	registry = "registry" // not on a message's way
)

var ownProcesses = []string{gatewayA, gatewayB, deliver, presence}

// startProduct builds dozaar, makes topics, tables and schemas, and starts the roles.
func startProduct(ctx context.Context, e *engines, dir string) (*product, error) {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails, by its contract
	p := &product{dir: dir, program: filepath.Join(dir, "dozaar"), secret: hex.EncodeToString(key[:])}
	build := exec.CommandContext(ctx, "go", "build", "-o", p.program, "./cmd/dozaar") //nolint:gosec // the product itself
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, out)
	}
	p.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "DOZAAR_DATA_DIR=" + dir, "DOZAAR_JWT_SECRET=" + p.secret,
		// A person sends less than these senders do when they are asked for all they can.
		"DOZAAR_RATE_MESSAGES=100000/s:100000", "DOZAAR_RATE_HANDSHAKES=100000/s:100000",
		"DOZAAR_LOG_LEVEL=warn",
	}
	for name, value := range e.env {
		p.env = append(p.env, name+"="+value)
	}
	if err := p.prepare(ctx); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	for _, role := range []struct{ name, command string }{
		{gatewayA, "gateway"}, {gatewayB, "gateway"}, {deliver, "deliver"}, {presence, "presence"},
	} {
		if err := p.start(ctx, role.name, role.command); err != nil {
			return nil, errors.Join(err, p.stop())
		}
	}
	return p, nil
}

// registry starts a schema registry.
func (p *product) registry(ctx context.Context) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	p.env = append(p.env, "DOZAAR_SCHEMA_REGISTRY_URL=http://"+address)
	return p.launch(ctx, &service{name: registry, admin: address, probe: "/subjects"}, registry, "--listen", address, "--dir", filepath.Join(p.dir, registry))
}

// prepare makes what the roles want to find.
func (p *product) prepare(ctx context.Context) error {
	if err := p.registry(ctx); err != nil {
		return err
	}
	for _, args := range [][]string{{"migrate"}, {"schemas", "apply"}, {"topics", "apply"}} {
		if err := p.run(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

func (p *product) run(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.program, args...) //nolint:gosec // the product itself
	cmd.Env = p.env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("dozaar %v: %w\n%s", args, err, out)
	}
	return nil
}

// start starts a role and waits until it is ready.
func (p *product) start(ctx context.Context, name, command string) error {
	listen, err := freeAddress()
	if err != nil {
		return err
	}
	admin, err := freeAddress()
	if err != nil {
		return err
	}
	return p.launch(ctx, &service{name: name, listen: listen, admin: admin, probe: "/readyz"}, command)
}

// launch starts a process that stays, and waits until it says that it is ready.
func (p *product) launch(ctx context.Context, s *service, args ...string) error {
	log, err := os.Create(filepath.Join(p.dir, s.name+".log")) //nolint:gosec // in our own folder
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the child has its own
	s.ended = make(chan struct{})
	s.cmd = exec.Command(p.program, args...) //nolint:gosec,noctx // the product itself; stop ends it
	s.cmd.Env = slices.Concat(p.env, []string{"DOZAAR_ADMIN_LISTEN=" + s.admin, "DOZAAR_LISTEN=" + s.listen})
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is ours to pass on
	if err := s.cmd.Start(); err != nil {
		return err
	}
	p.services = append(p.services, s)
	go func() {
		_ = s.cmd.Wait()
		close(s.ended)
	}()
	return s.ready(ctx, log.Name())
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is closed at once
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (s *service) ready(ctx context.Context, log string) error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		select {
		case <-s.ended:
			text, _ := os.ReadFile(log) //nolint:gosec // our own
			return fmt.Errorf("%s has ended:\n%s", s.name, text)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		if answers(ctx, "http://"+s.admin+s.probe) {
			return nil
		}
	}
	return fmt.Errorf("%s is not ready after a minute", s.name)
}

func answers(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func (p *product) named(name string) *service {
	for _, s := range p.services {
		if s.name == name {
			return s
		}
	}
	return nil
}

func (p *product) pids() map[string]int {
	pids := map[string]int{}
	for _, s := range p.services {
		pids[s.name] = s.cmd.Process.Pid
	}
	return pids
}

// stop ends the processes, the last that was started first.
func (p *product) stop() error {
	var failed error
	for i := len(p.services) - 1; i >= 0; i-- {
		s := p.services[i]
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-s.ended:
		case <-time.After(30 * time.Second):
			failed = errors.Join(failed, fmt.Errorf("%s did not end by itself", s.name))
			_ = s.cmd.Process.Kill()
			<-s.ended
		}
	}
	p.services = nil
	return failed
}
