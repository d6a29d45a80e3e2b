package bench

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// Machine tells on what is measured, and with which versions of some modules of this program.
func Machine(modules ...string) []string {
	parts := []string{
		fmt.Sprintf("%d cores (%s)", runtime.NumCPU(), cmp.Or(field("/proc/cpuinfo", "model name"), runtime.GOARCH)),
		cmp.Or(field("/proc/meminfo", "MemTotal"), "unknown") + " memory",
		"Linux " + firstLine("/proc/sys/kernel/osrelease"),
		runtime.Version(),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if slices.Contains(modules, dep.Path) {
				parts = append(parts, dep.Path+" "+dep.Version)
			}
		}
	}
	return parts
}

func firstLine(path string) string {
	text, err := os.ReadFile(path) //nolint:gosec // a file of /proc
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// field is the value of a "name: value" line.
func field(path, name string) string {
	text, err := os.ReadFile(path) //nolint:gosec // a file of /proc
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.Join(strings.Fields(value), " ")
		}
	}
	return ""
}
