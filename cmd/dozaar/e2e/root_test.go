package e2e

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// As the image has it: the static binary alone in a root that cannot be written to, run by a user who is nobody. Only the
// data folder is there to be written.
func TestInARootOfItsOwn(t *testing.T) {
	if realEngines() {
		t.Skip("what is embedded needs the most of a file system")
	}
	root := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(root, "dozaar"), "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as deploy/Dockerfile and make build do, so that most of it is compiled already
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	binary, err := elf.Open(filepath.Join(root, "dozaar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, section := range binary.Progs {
		if section.Type == elf.PT_INTERP {
			t.Error("the binary is not static")
		}
	}
	binary.Close()
	if err := os.Mkdir(filepath.Join(root, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	// In a mount namespace of its own, so that nothing is left of it.
	const script = `mount --bind "$0" "$0" && mount -t tmpfs -o mode=0700,uid=65534,gid=65534 data "$0/data" && mount -o remount,bind,ro "$0" &&
		cd "$0" && ! touch "$0/written" 2>/dev/null && exec "$@"`
	run := func(args ...string) *exec.Cmd {
		return exec.Command("unshare", append([]string{"--mount", "sh", "-c", script, root}, args...)...)
	}
	if out, err := run("true").CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED: mounting is not allowed here (root is needed): %v %s", err, out)
	}
	p := newProcess(t, []string{"all"}, "DOZAAR_DATA_DIR=/data")
	p.cmd = run("chroot", "--userspec=65534:65534", root, "/dozaar", "all")
	p.cmd.Env = p.env
	p.out = &safeBuffer{}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.exited = make(chan error, 1)
	go func() { p.exited <- p.cmd.Wait() }()
	if err := p.waitReady(startPatience); err != nil {
		t.Fatal(err)
	}
	whole := &product{t: t, gateways: []*process{p}, delivers: []*process{p}, presences: []*process{p}}
	c := whole.talk(newPerson("Bea"), newPerson("Sam"), "")
	c.say("from a read-only root")
	c.settle(whole)
	p.stop()
	if entries, err := os.ReadDir(root); err != nil || len(entries) != 2 {
		t.Errorf("%v, %v: something was written", entries, err)
	}
}
