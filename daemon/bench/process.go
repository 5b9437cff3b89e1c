package bench

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"time"
)

// ProcessorTime is what this process has had of the processors so far, all
// threads together. On a machine that is busy with something else, it tells
// more of a piece of work than the time that passes.
func ProcessorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Resident is the memory of this process in MiB, 0 where the system does not
// tell; see proc_pid_statm(5).
func Resident() float64 {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(data)
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseFloat(string(fields[1]), 64)
	return pages * float64(os.Getpagesize()) / (1 << 20)
}
