package main

import (
	"os"
	"strconv"
	"strings"

	"github.com/dozaar/dozaar/loadtest/bench"
)

// machine tells what was measured and on what.
func machine(versions map[string]string) string {
	parts := bench.Machine("github.com/gorilla/websocket", "github.com/zishang520/socket.io/servers/socket/v3")
	if versions != nil {
		parts = append(parts, "Node "+versions["node"], "socket.io "+versions["socket.io"], "ws "+versions["ws"])
	}
	return "Measured on: " + strings.Join(parts, "; ") + ".\n"
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
