package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// answerWithin is how long a child may take over one command.
const answerWithin = 5 * time.Minute

// Child is a process that answers commands: a line of JSON for a line of JSON. It ends when its input does.
type Child struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
}

// StartChild starts one.
func StartChild(ctx context.Context, name, program string, args ...string) (*Child, error) {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // the benchmark itself, or what it is told to compare with
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
	return &Child{name: name, cmd: cmd, in: in, out: bufio.NewReader(out)}, nil
}

// Ask sends a command and reads its answer into result.
func (c *Child) Ask(command, result any) error {
	line, err := json.Marshal(command)
	if err != nil {
		return err
	}
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return c.Read(result)
}

// Read reads what the child says without being asked.
func (c *Child) Read(result any) error {
	late := time.AfterFunc(answerWithin, func() { _ = c.cmd.Process.Kill() })
	defer late.Stop()
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("%s: no answer: %w", c.name, err)
	}
	return json.Unmarshal(line, result)
}

// PID is the child's.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Stop ends the child and waits for it.
func (c *Child) Stop() error {
	_ = c.in.Close()
	late := time.AfterFunc(30*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer late.Stop()
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return nil
}

// Answer is the child's half: it reads commands until in ends and writes what do makes of each.
func Answer[C any](in io.Reader, out io.Writer, do func(C) (any, error)) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	encoder := json.NewEncoder(out)
	for lines.Scan() {
		var c C
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return fmt.Errorf("command %.100q: %w", lines.Text(), err)
		}
		result, err := do(c)
		if err != nil {
			return err
		}
		if err := encoder.Encode(result); err != nil {
			return err
		}
	}
	return lines.Err()
}
