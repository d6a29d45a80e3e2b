package bench

import (
	"os/exec"
	"syscall"
	"time"
)

// Apart lets a script that starts or removes things hear nothing of Ctrl-C, which is ours to pass on: once is enough for one that then ends what
// it has started, and one that removes is not to stop half-way. Where its context ends all of it is told to, and waited for so long.
func Apart(cmd *exec.Cmd, within time.Duration) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = within
}
