package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
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
