package bench

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// finWait1 is the state of a TCP connection that this side has closed, with data or the close itself not yet taken by the other.
const finWait1 = "04"

// Closing is how many connections of a server on this machine it has ended while the client has not read what was sent before.
func Closing(address string) (count int, err error) {
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return 0, err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, err
	}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		lines, err := os.ReadFile(table) //nolint:gosec // one of two
		if err != nil && !os.IsNotExist(err) {
			return 0, err
		}
		count += closing(string(lines), port)
	}
	return count, nil
}

// closing reads a table: a number, the local address, the other's, the state and more, in hexadecimal (proc_net_tcp).
func closing(table string, port uint64) (count int) {
	local := fmt.Sprintf(":%04X", port)
	for line := range strings.Lines(table) {
		if fields := strings.Fields(line); len(fields) > 3 && strings.HasSuffix(fields[1], local) && fields[3] == finWait1 {
			count++
		}
	}
	return count
}
