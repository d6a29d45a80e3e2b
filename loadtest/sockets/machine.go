package main

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// machine tells what was measured and on what.
func machine(versions map[string]string) string {
	parts := []string{
		fmt.Sprintf("%d cores (%s)", runtime.NumCPU(), cmp.Or(field("/proc/cpuinfo", "model name"), runtime.GOARCH)),
		cmp.Or(field("/proc/meminfo", "MemTotal"), "unknown") + " memory",
		"Linux " + firstLine("/proc/sys/kernel/osrelease"),
		runtime.Version(),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == "github.com/gorilla/websocket" || dep.Path == "github.com/zishang520/socket.io/servers/socket/v3" {
				parts = append(parts, dep.Path+" "+dep.Version)
			}
		}
	}
	parts = append(parts, "Node "+versions["node"], "socket.io "+versions["socket.io"], "ws "+versions["ws"])
	return "Measured on: " + strings.Join(parts, "; ") + ".\n"
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

// kernelBytes is what the kernel has in the caches that a connection takes from: all of the machine's.
// It is 0 where one may not know.
func kernelBytes() float64 {
	text, err := os.ReadFile("/proc/slabinfo")
	if err != nil {
		return 0
	}
	sum := 0.0
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		switch f[0] {
		case "TCP", "sock_inode_cache", "filp", "dentry", "eventpoll_epi", "eventpoll_pwq", "tcp_bind_bucket", "tcp_bind2_bucket":
			active, err1 := strconv.ParseFloat(f[1], 64)
			size, err2 := strconv.ParseFloat(f[3], 64)
			if err1 == nil && err2 == nil {
				sum += active * size
			}
		}
	}
	return sum
}
