package bench

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// clockTick is USER_HZ, which is 100 on every architecture that Go runs on.
const clockTick = 100

// CPUSeconds is what a process has used so far, user and system, by /proc/<pid>/stat: in steps of 10 ms.
func CPUSeconds(pid int) (float64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseStat(string(stat))
}

// CPUSecondsOf is what processes have used so far, by their names.
func CPUSecondsOf(pids map[string]int) (map[string]float64, error) {
	used := map[string]float64{}
	for name, pid := range pids {
		seconds, err := CPUSeconds(pid)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		used[name] = seconds
	}
	return used, nil
}

// BusySeconds is what all processors of the machine have spent so far on anything, also for other machines on the same hardware.
func BusySeconds() (float64, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return parseBusy(string(text))
}

// parseBusy reads the first line: user, nice, system, idle, iowait, irq, softirq, steal (proc(5)).
func parseBusy(text string) (busy float64, err error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, errors.New("not /proc/stat")
	}
	for i, field := range fields[1:9] {
		ticks, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return 0, err
		}
		if i != 3 && i != 4 {
			busy += float64(ticks) / clockTick
		}
	}
	return busy, nil
}

// parseStat reads fields 14 and 15, utime and stime (proc(5)). The second field is the program's name in
// parentheses and may hold anything, parentheses and spaces too.
func parseStat(stat string) (float64, error) {
	end := strings.LastIndexByte(stat, ')')
	fields := strings.Fields(stat[end+1:])
	if end < 0 || len(fields) < 13 {
		return 0, errors.New("not a line of /proc/<pid>/stat")
	}
	user, err1 := strconv.ParseUint(fields[11], 10, 64)
	system, err2 := strconv.ParseUint(fields[12], 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		return 0, err
	}
	return float64(user+system) / clockTick, nil
}

// ResidentBytes is what a process has in memory, by /proc/<pid>/statm.
func ResidentBytes(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, errors.New("not a line of /proc/<pid>/statm")
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}
