package bench

import (
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
