package stack

import (
	"context"
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

// A process may take so long to start, and to end: a gateway may be told to close its sockets over minutes.
const (
	patience  = time.Minute
	endWithin = 5 * time.Minute
)

// Service is one process that stays.
type Service struct {
	Name    string
	Listen  string // where clients connect
	Admin   string // where it tells of itself
	probe   string // a URL that answers once it is ready
	log     string
	command func() *exec.Cmd
	cmd     *exec.Cmd
	ended   chan struct{} // closed when it has ended
}

// PID is the process's number.
func (s *Service) PID() int { return s.cmd.Process.Pid }

// Services are processes in the order of their start, with a log each in Dir.
type Services struct {
	Dir string
	all []*Service
}

// Launch starts a program as s and waits until s.probe answers.
func (p *Services) launch(ctx context.Context, s *Service, env []string, program string, args ...string) error {
	env, args = slices.Clone(env), slices.Clone(args)
	s.log = filepath.Join(p.Dir, s.Name+".log")
	s.command = func() *exec.Cmd {
		cmd := exec.Command(program, args...) //nolint:gosec,noctx // what is to be measured; Stop ends it
		cmd.Env = env
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is ours to pass on
		return cmd
	}
	p.all = append(p.all, s)
	return s.Start(ctx)
}

// Start starts it, at the addresses that it had if it has run before, and waits until it is ready.
func (s *Service) Start(ctx context.Context) error {
	log, err := os.Create(s.log)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the child has its own
	s.cmd, s.ended = s.command(), make(chan struct{})
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait()
		close(ended)
	}(s.cmd, s.ended)
	return s.ready(ctx)
}

// Stop tells it to end and waits until it has; not for ever.
func (s *Service) Stop() error {
	if s.cmd == nil || s.cmd.Process == nil {
		return nil // it never started
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
		return nil
	case <-time.After(endWithin):
		_ = s.cmd.Process.Kill()
		<-s.ended
		return fmt.Errorf("%s did not end by itself", s.Name)
	}
}

// Launch starts a program that listens at the address that it finds in LISTEN, and waits until GET /health there says 200.
func (p *Services) Launch(ctx context.Context, name string, env []string, program string, args ...string) error {
	listen, err := freeAddress()
	if err != nil {
		return err
	}
	s := &Service{Name: name, Listen: listen, probe: "http://" + listen + "/health"}
	return p.launch(ctx, s, append(slices.Clone(env), "LISTEN="+listen), program, args...)
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is closed at once
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (s *Service) ready(ctx context.Context) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		select {
		case <-s.ended:
			return s.dead()
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		if answers(ctx, s.probe) {
			return nil
		}
	}
	return fmt.Errorf("%s is not ready after a minute", s.Name)
}

// lastWords is how much of its log is told of one that has ended.
const lastWords = 4000

func (s *Service) dead() error {
	text, _ := os.ReadFile(s.log)
	return fmt.Errorf("%s has ended: %s\n%s", s.Name, s.cmd.ProcessState, text[max(0, len(text)-lastWords):])
}

func answers(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
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

// Named is the service of that name; nil: there is none.
func (p *Services) Named(name string) *Service {
	for _, s := range p.all {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// At is the service that clients connect to there; nil: there is none.
func (p *Services) At(listen string) *Service {
	for _, s := range p.all {
		if s.Listen == listen {
			return s
		}
	}
	return nil
}

// Dead is those that have ended by themselves, with what they said last; nil: all are there.
func (p *Services) Dead() (all error) {
	for _, s := range p.all {
		select {
		case <-s.ended:
			all = errors.Join(all, s.dead())
		default:
		}
	}
	return all
}

// PIDs are the processes' by their names.
func (p *Services) PIDs() map[string]int {
	pids := map[string]int{}
	for _, s := range p.all {
		pids[s.Name] = s.PID()
	}
	return pids
}

// Stop ends the processes, the last that was started first.
func (p *Services) Stop() error {
	var failed error
	for _, s := range slices.Backward(p.all) {
		failed = errors.Join(failed, s.Stop())
	}
	p.all = nil
	return failed
}
