package stack

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
)

// Profile writes what a role tells under /debug/pprof/, such as "heap?gc=1" or "profile?seconds=5", into a file.
func (s *Service) Profile(ctx context.Context, what, file string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Admin+"/debug/pprof/"+what, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	taken, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return errors.Join(err, fmt.Errorf("%s of %s: %s", what, s.Name, response.Status))
	}
	return os.WriteFile(file, taken, 0o600)
}

const (
	profileLines = 18 // of functions by themselves
	ourLines     = 22 // of our own, with all that they call
)

// CPU tells where the CPU of some roles goes during so long, for each by function, as text. The profiles stay in a folder.
func (p *Product) CPU(ctx context.Context, roles []string, length time.Duration, when, dir string) (string, error) {
	texts, failed := make([]string, len(roles)), make([]error, len(roles))
	var all sync.WaitGroup
	for i, name := range roles {
		all.Go(func() { texts[i], failed[i] = p.cpu(ctx, name, length, when, dir) })
	}
	all.Wait()
	return strings.Join(texts, "\n"), errors.Join(failed...)
}

func (p *Product) cpu(ctx context.Context, name string, length time.Duration, when, dir string) (string, error) {
	file := filepath.Join(dir, name+".prof")
	if err := p.Named(name).Profile(ctx, fmt.Sprintf("profile?seconds=%d", int(length.Seconds())), file); err != nil {
		return "", err
	}
	flat, err := p.Top(ctx, file, profileLines, All)
	if err != nil {
		return "", err
	}
	cumulative, err := p.Top(ctx, file, ourLines, Ours, "-cum")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("CPU of %s, %s, the functions that use most themselves:\n\n```\n%s```\n\nand ours, with all that they call:\n\n```\n%s```\n",
		name, when, flat, cumulative), nil
}

// Top is the head and the first lines that are wanted of a profile in a file, as `go tool pprof -top` with these flags shows it.
func (p *Product) Top(ctx context.Context, file string, lines int, wanted func(line string) bool, flags ...string) (string, error) {
	args := append([]string{"tool", "pprof", "-top", "-nodefraction=0", "-nodecount=2000"}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, p.Program, file)...) //nolint:gosec // go's own tool
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	return firstLines(string(out), lines, wanted), err
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

// All wants every line.
func All(string) bool { return true }

// Ours wants the lines of the product's own packages.
func Ours(line string) bool { return strings.Contains(line, "dozaar/") }
