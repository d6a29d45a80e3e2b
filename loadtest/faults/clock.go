package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A process with a wrong clock is the same program, built with another time.Now: the wall clock is off by what the environment
// says, the monotonic one is right, as on a machine whose clock was set wrong. So every use of the time is met, those in the
// libraries too, and the product has no switch for it.
const (
	clockVariable = "FAULTS_CLOCK"
	wrongNow      = `package time

import "syscall"

var clockOff = func() int64 {
	text, _ := syscall.Getenv("` + clockVariable + `")
	d, _ := ParseDuration(text)
	return int64(d / Second)
}()

// Now is off by some seconds.
func Now() Time {
	t := rightNow()
	t.addSec(clockOff)
	return t
}
`
)

// buildWrongClock makes that program. All of it is compiled, for all of it uses the time: that takes minutes, unless Go's
// cache has it from the last time, and is done before engines run beside it.
func buildWrongClock(ctx context.Context, dir string) error {
	say("building a dozaar with a wrong clock; the first time it takes minutes")
	overlay, err := wrongClockOverlay(ctx, dir)
	if err != nil {
		return err
	}
	return buildAs(ctx, wrongClockProgram(dir), "-overlay", overlay)
}

func wrongClockProgram(dir string) string { return filepath.Join(dir, "dozaar-clock") }

// wrongClockOverlay writes what the compiler is to take in place of the toolchain's own files.
func wrongClockOverlay(ctx context.Context, dir string) (path string, err error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	source := filepath.Join(strings.TrimSpace(string(out)), "src", "time")
	text, err := os.ReadFile(filepath.Join(source, "time.go")) //nolint:gosec // of the toolchain
	if err != nil {
		return "", err
	}
	changed := strings.Replace(string(text), "\nfunc Now() Time {", "\nfunc rightNow() Time {", 1)
	if changed == string(text) {
		return "", errors.New("this toolchain's time.Now is not where it was")
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		filepath.Join(source, "time.go"):     filepath.Join(dir, "time.go.txt"),
		filepath.Join(source, "wrongnow.go"): filepath.Join(dir, "wrongnow.go.txt"),
	}})
	if err != nil {
		return "", err
	}
	for name, text := range map[string]string{"time.go.txt": changed, "wrongnow.go.txt": wrongNow, "overlay.json": string(overlay)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), keptHere); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, "overlay.json"), nil
}

// clockKinds start one process of a role again with a clock that is a minute off.
func clockKinds() (all []kind) {
	for _, role := range []string{gateway, deliver, presence} {
		all = append(all, kind{
			name: "clock-" + role, set: single, within: others, wrongClock: true,
			what: fmt.Sprintf("one %s of two started again with its clock a minute fast or slow, and after 30 s with the right one", role),
			do: func(ctx context.Context, s *stage) error {
				one := s.product.named(role + "-1")
				right, env := one.program, one.env
				off := "60s"
				if s.random.IntN(2) == 0 {
					off = "-60s"
				}
				s.fault("%s is started again with its clock off by %s", one.name, off)
				return s.doAll(ctx, one.stop, func() error {
					one.program, one.env = wrongClockProgram(filepath.Dir(right)), slices.Concat(env, []string{clockVariable + "=" + off})
					return nil
				}, s.start(one), s.pause(ctx, 30*time.Second), one.stop, func() error {
					one.program, one.env = right, env
					return nil
				}, s.start(one))
			},
		})
	}
	return all
}
