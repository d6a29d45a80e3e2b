package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/dozaar/dozaar/loadtest/bench"
)

// The sets of engines. Embedded ones are in the process of `dozaar all`.
const (
	single   = "single"
	cluster  = "cluster"
	embedded = "embedded"
)

const enginesScript = "deploy/engines/engines.sh"

// engines is a set of real ones, in a folder of its own.
type engines struct {
	set, dir string
	env      []string // their addresses, as the product's settings
}

// startEngines starts what of the set does not run yet.
func startEngines(ctx context.Context, dir, set string) (*engines, error) {
	e := &engines{set: set, dir: filepath.Join(dir, "engines-"+set)}
	if set == embedded {
		return e, nil
	}
	say("starting the engines: %s", set)
	if err := e.script(ctx, "up"); err != nil {
		return nil, errors.Join(err, e.clean())
	}
	text, err := os.ReadFile(filepath.Join(e.dir, "env"))
	if err != nil {
		return nil, errors.Join(err, e.clean())
	}
	for line := range strings.Lines(string(text)) {
		if setting, ok := strings.CutPrefix(strings.TrimSpace(line), "export "); ok {
			e.env = append(e.env, setting)
		}
	}
	return e, nil
}

// clean ends the engines and removes what they kept, also when the run was interrupted.
func (e *engines) clean() error {
	if e.set == embedded {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	return e.script(ctx, "clean")
}

// script is engines.sh with a command and perhaps a node; see there.
func (e *engines) script(ctx context.Context, args ...string) error {
	if e.set == embedded {
		return nil
	}
	cmd := exec.CommandContext(ctx, enginesScript, args...) //nolint:gosec // words of this program
	mode := ""
	if e.set == cluster {
		mode = cluster
	}
	cache := os.Getenv("DOZAAR_ENGINES_CACHE")
	if cache == "" {
		cache = filepath.Join(filepath.Dir(e.dir), "cache")
	}
	cmd.Env = append(os.Environ(), "DOZAAR_ENGINES_DIR="+e.dir, "DOZAAR_ENGINES_CACHE="+cache, "ENGINES="+mode, "ENGINES_REDIS=")
	bench.Apart(cmd, endsWithin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", enginesScript, strings.Join(args, " "), err, out)
	}
	return nil
}

// addresses are those that a setting has.
func (e *engines) addresses(setting string) []string {
	for _, line := range e.env {
		if value, ok := strings.CutPrefix(line, setting+"="); ok {
			return strings.Split(value, ",")
		}
	}
	return nil
}

// ports are the addresses' ports.
func (e *engines) ports(setting string) (ports []uint16, err error) {
	for _, address := range e.addresses(setting) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return nil, err
		}
		ports = append(ports, uint16(n))
	}
	return ports, nil
}

// redis has Redis do something that it answers with OK.
func (e *engines) redis(ctx context.Context, command string) error {
	for _, address := range e.addresses("DOZAAR_REDIS_ADDRS") {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		answer := make([]byte, 64)
		_, err = conn.Write([]byte(command + "\r\n"))
		n := 0
		if err == nil {
			n, err = conn.Read(answer)
		}
		if err = errors.Join(err, conn.Close()); err != nil {
			return err
		}
		if string(answer[:n]) != "+OK\r\n" {
			return fmt.Errorf("redis: %s: %s", command, answer[:n])
		}
	}
	return nil
}
