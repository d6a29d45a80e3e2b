package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/dozaar/dozaar/loadtest/converse"
	"github.com/dozaar/dozaar/loadtest/stack"
)

// profiled are the processes whose CPU is shown by function.
var profiled = []string{stack.Deliver, stack.GatewayA, stack.GatewayB}

const (
	profileLines = 18 // of functions by themselves
	ourLines     = 22 // of our own, with all that they call
)

// profiles is where the CPU of the roles goes while as much is sent as can be, as text.
func (s *stage) profiles(ctx context.Context) (string, error) {
	if err := s.send(s.plan.order(0, s.plan.warm), &converse.Heard{}); err != nil {
		return "", err
	}
	texts, failed := make([]string, len(profiled)), make([]error, len(profiled))
	var all sync.WaitGroup
	for i, name := range profiled {
		all.Go(func() {
			time.Sleep(500 * time.Millisecond) // until there is something to see
			texts[i], failed[i] = s.profile(ctx, name)
		})
	}
	err := s.send(s.plan.order(0, s.plan.profile+time.Second), &converse.Heard{})
	all.Wait()
	return strings.Join(texts, "\n"), errors.Join(append(failed, err)...)
}

func (s *stage) profile(ctx context.Context, name string) (string, error) {
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", s.product.Named(name).Admin, int(s.plan.profile.Seconds()))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	taken, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return "", errors.Join(err, fmt.Errorf("profile of %s: %s", name, response.Status))
	}
	file := filepath.Join(s.product.Dir, name+".prof")
	if err := os.WriteFile(file, taken, 0o600); err != nil {
		return "", err
	}
	if s.plan.keep != "" {
		if err := os.WriteFile(filepath.Join(s.plan.keep, name+".prof"), taken, 0o600); err != nil {
			return "", err
		}
	}
	flat, err := s.top(ctx, file)
	if err != nil {
		return "", err
	}
	cumulative, err := s.top(ctx, file, "-cum")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("CPU of %s, saturated, the functions that use most themselves:\n\n```\n%s```\n\nand ours, with all that they call:\n\n```\n%s```\n",
		name, firstLines(flat, profileLines, func(string) bool { return true }),
		firstLines(cumulative, ourLines, func(line string) bool { return strings.Contains(line, "dozaar/") })), nil
}

func (s *stage) top(ctx context.Context, file string, flags ...string) (string, error) {
	args := append([]string{"tool", "pprof", "-top", "-nodefraction=0", "-nodecount=2000"}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, s.product.Program, file)...) //nolint:gosec // go's own tool
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	return string(out), err
}

// firstLines is the table's head and its first lines that are wanted, without the paths of modules.
func firstLines(top string, count int, wanted func(string) bool) string {
	_, table, _ := strings.Cut(top, "flat%") // what stands before tells of files and dates
	var b strings.Builder
	b.WriteString("      flat  flat%   sum%        cum   cum%\n")
	for i, line := range strings.Split(table, "\n") {
		if i == 0 || !wanted(line) || strings.TrimSpace(line) == "" {
			continue
		}
		if count--; count < 0 {
			break
		}
		b.WriteString(strings.ReplaceAll(strings.ReplaceAll(line, "github.com/dozaar/dozaar/", ""), "github.com/", "") + "\n")
	}
	return b.String()
}
