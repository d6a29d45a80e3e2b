package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// answerWithin is how long a child process may take over one command.
const answerWithin = 5 * time.Minute

// process is a child that answers commands. It ends when its input does.
type process struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
}

func start(ctx context.Context, name, program string, args ...string) (*process, error) {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // this program itself, or node
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return &process{name: name, cmd: cmd, in: in, out: bufio.NewReader(out)}, nil
}

// ask sends a command and reads its answer into result.
func (p *process) ask(c command, result any) error {
	line, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("%s: %s: %w", p.name, c.Do, err)
	}
	if err := p.read(result); err != nil {
		return fmt.Errorf("%s: %s: %w", p.name, c.Do, err)
	}
	return nil
}

func (p *process) read(result any) error {
	late := time.AfterFunc(answerWithin, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	return json.Unmarshal(line, result)
}

// stop ends the process and waits for it.
func (p *process) stop() error {
	_ = p.in.Close()
	late := time.AfterFunc(30*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

// rss is the process's resident memory in bytes, counted page by page.
func (p *process) rss() (float64, error) {
	return residentBytes(fmt.Sprintf("/proc/%d/smaps_rollup", p.cmd.Process.Pid))
}

func residentBytes(path string) (float64, error) {
	text, err := os.ReadFile(path) //nolint:gosec // a file of /proc
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "Rss:" && fields[2] == "kB" {
			kib, err := strconv.ParseFloat(fields[1], 64)
			return kib * 1024, err
		}
	}
	return 0, errors.New(path + " does not tell the RSS")
}
