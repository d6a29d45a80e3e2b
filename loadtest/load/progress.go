package load

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dozaar/dozaar/loadtest/client"
)

// clearLine takes a terminal back to the beginning of an empty line.
const clearLine = "\r\x1b[K"

// progress tells people how the load goes: on a terminal every second in one line, which is written over; elsewhere a line
// every five seconds.
func progress(out io.Writer, terminal bool, length time.Duration, s *client.Stats) func(Moment) {
	begin, end, every := "", "\n", 5
	if terminal {
		begin, end, every = clearLine, "", 1
	}
	n := 0
	return func(m Moment) {
		if n++; n%every != 0 {
			return
		}
		last := length > 0 && m.At >= length.Seconds()-0.5
		if last && end == "" {
			end = "\n"
		}
		d, a := m.Latency.Delivered, m.Latency.Acked
		fmt.Fprintf(out, "%s%4.0fs  %d up; %.0f/s due, %.0f/s acked p50 %s p99 %s, %.0f/s shown p50 %s p99 %s; %.0f errors/s, %d came back, %d tries repeated; own CPU %.0f%%%s",
			begin, m.At, m.Connected, m.Due, m.Acked, round(a.P50), round(a.P99), m.Delivered, round(d.P50), round(d.P99), m.Errors,
			s.Reconnects.Load(), s.Retried.Load(), 100*m.Processes[Self].Cores, end)
	}
}

func onTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}
