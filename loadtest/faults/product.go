package main

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
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// The roles.
const (
	gateway  = "gateway"
	deliver  = "deliver"
	presence = "presence"
	all      = "all"
)

const (
	secret       = "the fault injector signs with this one" // of tokens, on the loopback only
	readyWithin  = 90 * time.Second
	endsWithin   = 40 * time.Second // the product gives itself 25 s
	keptHere     = 0o600
	partitionsOf = "DOZAAR_KAFKA_PARTITIONS=12" // fewer are faster to make
)

// build makes the product's binary and returns where it is.
func build(ctx context.Context, dir string, flags ...string) (string, error) {
	program := filepath.Join(dir, "dozaar")
	return program, buildAs(ctx, program, flags...)
}

func buildAs(ctx context.Context, program string, flags ...string) error {
	args := append([]string{"build", "-o", program}, append(flags, "./cmd/dozaar")...)
	if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil { //nolint:gosec // the product itself
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// process is one role, which may run several times with the same addresses.
type process struct {
	name, role    string
	program       string
	dir           string
	listen, admin string
	env           []string
	netns         string // in which it runs, if any
	cmd           *exec.Cmd
	ended         chan struct{}
	wanted        bool // to run
}

// product is the roles' processes of one round.
type product struct {
	dir, program string
	env          []string
	processes    []*process
}

// prepare makes what the roles want to find on engines.
func prepare(ctx context.Context, dir, program string, e *engines) error {
	if e.set == embedded {
		return nil
	}
	for _, args := range []string{"migrate", "schemas apply", "topics apply"} {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
		cmd := exec.CommandContext(ctx, program, strings.Fields(args)...) //nolint:gosec // the product itself
		cmd.Env = environment(dir, e)
		out, err := cmd.CombinedOutput()
		cancel()
		if err != nil {
			return fmt.Errorf("dozaar %s: %w\n%s", args, err, out)
		}
	}
	return nil
}

// environment is the settings of every process.
func environment(dir string, e *engines) []string {
	env := append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "DOZAAR_JWT_SECRET=" + secret, "DOZAAR_PRESENCE_GRACE=5s", "DOZAAR_LOG_LEVEL=info", partitionsOf,
		// All clients come from one address here, and after a fault all of them at once.
		"DOZAAR_RATE_HANDSHAKES=10000/s:10000",
	}, e.env...)
	if e.set == cluster {
		env = append(env, "DOZAAR_CASSANDRA_REPLICATION=3")
	}
	return env
}

// newProduct is two of each role, or one of all, which do not run yet.
func newProduct(dir, program string, e *engines) (*product, error) {
	p := &product{dir: dir, program: program, env: environment(dir, e)}
	roles := []string{gateway, gateway, deliver, deliver, presence, presence}
	if e.set == embedded {
		roles = []string{all}
	}
	count := map[string]int{}
	for _, role := range roles {
		count[role]++
		if _, err := p.add(fmt.Sprintf("%s-%d", role, count[role]), role); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *product) add(name, role string) (*process, error) {
	one := &process{name: name, role: role, program: p.program, dir: p.dir, env: p.env}
	p.processes = append(p.processes, one)
	var err error
	if one.listen, err = p.freeAddress(); err != nil {
		return nil, err
	}
	one.admin, err = p.freeAddress()
	return one, err
}

// freeAddress is one below the ports that the kernel gives to outgoing connections, so that it is still free when a
// process comes back to it, and nobody else's, who need not listen yet.
func (p *product) freeAddress() (string, error) {
	for port := 12000 + time.Now().Nanosecond()%7000; port < 20000; port++ {
		address := fmt.Sprintf("127.0.0.1:%d", port)
		if slices.ContainsFunc(p.processes, func(one *process) bool { return one.listen == address || one.admin == address }) {
			continue
		}
		l, err := net.Listen("tcp", address) //nolint:noctx // it is closed at once
		if err == nil {
			return address, l.Close()
		}
	}
	return "", errors.New("no port is free")
}

func (p *product) named(name string) *process {
	for _, one := range p.processes {
		if one.name == name {
			return one
		}
	}
	panic("faults: there is no process " + name)
}

func (p *product) of(role string) (found []*process) {
	for _, one := range p.processes {
		if one.role == role {
			found = append(found, one)
		}
	}
	return found
}

// data is a process's data folder.
func (p *product) data(name string) string { return filepath.Join(p.dir, name) }

// stuck names the processes that have ended by themselves.
func (p *product) stuck() (names []string) {
	for _, one := range p.processes {
		if one.wanted && !one.runs() {
			names = append(names, one.name)
		}
	}
	return names
}

// gateways are the base URLs of those that clients connect to.
func (p *product) gateways() (urls []string) {
	for _, one := range slices.Concat(p.of(gateway), p.of(all)) {
		urls = append(urls, "http://"+one.listen)
	}
	return urls
}

// start starts all processes together and returns when all are ready.
func (p *product) start(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, one := range p.processes {
		group.Go(func() error { return one.start(ctx) })
	}
	return group.Wait()
}

// stop ends all processes. One that does not end by itself is an error, and is killed.
func (p *product) stop() error {
	var mu sync.Mutex
	var failed error
	var stopping sync.WaitGroup
	for _, one := range p.processes {
		stopping.Go(func() {
			err := one.stop()
			mu.Lock()
			defer mu.Unlock()
			failed = errors.Join(failed, err)
		})
	}
	stopping.Wait()
	return failed
}

// begin starts the process and waits for nothing. Its log goes on where it was.
func (o *process) begin() error {
	if o.runs() {
		return nil
	}
	log, err := os.OpenFile(filepath.Join(o.dir, o.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, keptHere)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the child has its own
	args := []string{o.program, o.role}
	if o.netns != "" {
		args = append([]string{"ip", "netns", "exec", o.netns}, args...)
	}
	o.cmd = exec.Command(args[0], args[1:]...) //nolint:gosec,noctx // the product itself; stop ends it
	o.cmd.Env = append(slices.Clone(o.env), "DOZAAR_LISTEN="+o.listen, "DOZAAR_ADMIN_LISTEN="+o.admin, "DOZAAR_DATA_DIR="+filepath.Join(o.dir, o.name))
	o.cmd.Stdout, o.cmd.Stderr = log, log
	o.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is ours to pass on
	if err := o.cmd.Start(); err != nil {
		return err
	}
	o.wanted = true
	cmd, ended := o.cmd, make(chan struct{})
	o.ended = ended
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	return nil
}

func (o *process) start(ctx context.Context) error { return errors.Join(o.begin(), o.ready(ctx)) }

// ready returns when the process says that it is.
func (o *process) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+o.admin+"/readyz", nil)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(request); err == nil { //nolint:gosec // our own process
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-o.ended:
			return fmt.Errorf("%s has ended: see %s", o.name, filepath.Join(o.dir, o.name+".log"))
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: see %s: %w", o.name, filepath.Join(o.dir, o.name+".log"), context.Cause(ctx))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (o *process) runs() bool {
	if o.ended == nil {
		return false
	}
	select {
	case <-o.ended:
		return false
	default:
		return true
	}
}

func (o *process) signal(s syscall.Signal) error { return o.cmd.Process.Signal(s) }

func (o *process) kill() error {
	o.wanted = false
	if err := o.signal(syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill %s: %w", o.name, err)
	}
	<-o.ended
	return nil
}

// stop asks the process to end.
func (o *process) stop() error {
	o.wanted = false
	if !o.runs() {
		return nil
	}
	_ = o.signal(syscall.SIGCONT)
	_ = o.signal(syscall.SIGTERM)
	select {
	case <-o.ended:
		return nil
	case <-time.After(endsWithin):
		return errors.Join(fmt.Errorf("%s did not end within %s of SIGTERM", o.name, endsWithin), o.kill())
	}
}
