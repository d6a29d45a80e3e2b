package stack

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// Product is Dozaar's processes, each role by itself.
type Product struct {
	Services
	Program string // the binary
	Secret  string // tokens are signed with it
	env     []string
}

// The roles' names.
const (
	GatewayA = "gateway A"
	GatewayB = "gateway B"
	Deliver  = "deliver"
	Presence = "presence"
	Registry = "registry" // not on a message's way
)

// Keyspace is where its tables are.
const Keyspace = "dozaar"

// Roles are those that a message costs something.
var Roles = []string{GatewayA, GatewayB, Deliver, Presence}

// StartProduct builds dozaar, makes topics, tables and schemas, and starts the roles, with these settings besides.
func StartProduct(ctx context.Context, e *Engines, dir string, settings ...string) (*Product, error) {
	p := &Product{Services: Services{Dir: dir}, Program: filepath.Join(dir, "dozaar"), Secret: newSecret()}
	build := exec.CommandContext(ctx, "go", "build", "-o", p.Program, "./cmd/dozaar") //nolint:gosec // the product itself
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, out)
	}
	p.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "DOZAAR_DATA_DIR=" + dir, "DOZAAR_JWT_SECRET=" + p.Secret,
		// A person sends less than these senders do when they are asked for all they can.
		"DOZAAR_RATE_MESSAGES=100000/s:100000", "DOZAAR_RATE_HANDSHAKES=100000/s:100000",
		"DOZAAR_LOG_LEVEL=warn",
	}
	for name, value := range e.env {
		p.env = append(p.env, name+"="+value)
	}
	p.env = append(p.env, settings...)
	if err := p.prepare(ctx); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	for _, role := range []struct{ name, command string }{
		{GatewayA, "gateway"}, {GatewayB, "gateway"}, {Deliver, "deliver"}, {Presence, "presence"},
	} {
		if _, err := p.Start(ctx, role.name, role.command); err != nil {
			return nil, errors.Join(err, p.Stop())
		}
	}
	return p, nil
}

func newSecret() string {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails, by its contract
	return hex.EncodeToString(key[:])
}

// registry starts a schema registry.
func (p *Product) registry(ctx context.Context) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	p.env = append(p.env, "DOZAAR_SCHEMA_REGISTRY_URL=http://"+address)
	s := &Service{Name: Registry, Admin: address, probe: "http://" + address + "/subjects"}
	return p.launch(ctx, s, p.env, p.Program, "registry", "--listen", address, "--dir", filepath.Join(p.Dir, Registry))
}

// prepare makes what the roles want to find.
func (p *Product) prepare(ctx context.Context) error {
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

func (p *Product) run(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.Program, args...) //nolint:gosec // the product itself
	cmd.Env = p.env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("dozaar %v: %w\n%s", args, err, out)
	}
	return nil
}

// Start starts another process of a role and waits until it is ready.
func (p *Product) Start(ctx context.Context, name, command string) (*Service, error) {
	listen, err := freeAddress()
	if err != nil {
		return nil, err
	}
	admin, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s := &Service{Name: name, Listen: listen, Admin: admin, probe: "http://" + admin + "/readyz"}
	return s, p.launch(ctx, s, slices.Concat(p.env, []string{"DOZAAR_ADMIN_LISTEN=" + admin, "DOZAAR_LISTEN=" + listen}), p.Program, command)
}
